/** Time is an input: whatever waits or compares instants is given a clock, and a test turns its hands. */

/** Milliseconds since 1970 (UTC). */
export type Instant = number

export interface Clock {
  now(): Instant
  /** Calls `wake` once, not before `delayMs` have passed; the returned function forgets it. */
  after(delayMs: number, wake: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (delayMs, wake) => {
    const timer = setTimeout(wake, delayMs)
    return () => clearTimeout(timer)
  },
}
