/** A clock whose hands the test turns: nothing happens until `turn` is called, then everything due happens in order. */
import type { Clock, Instant } from "../../src/clock/clock.ts"

export type HandClock = Clock & {
  /** Moves time on, waking whatever becomes due, and lets promises settle after each. */
  turn(ms: number): Promise<void>
}

export function handClock(start: Instant = 1_700_000_000_000): HandClock {
  let now = start
  let waiting: { at: Instant; wake: () => void }[] = []
  return {
    now: () => now,
    after: (delayMs, wake) => {
      const entry = { at: now + delayMs, wake }
      waiting.push(entry)
      return () => {
        waiting = waiting.filter((other) => other !== entry)
      }
    },
    turn: async (ms) => {
      const end = now + ms
      for (;;) {
        await settled()
        const [next] = waiting.filter(({ at }) => at <= end).sort((left, right) => left.at - right.at)
        if (!next) break
        waiting = waiting.filter((other) => other !== next)
        now = Math.max(now, next.at)
        next.wake()
      }
      now = end
      await settled()
    },
  }
}

/** Promises that hang on nothing but each other have run their course. */
async function settled(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await new Promise((resolve) => setImmediate(resolve))
}
