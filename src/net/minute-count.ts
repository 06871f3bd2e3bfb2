/** How many of each there were in the minute that runs; nothing of a minute ago is remembered. */
import type { Clock, Instant } from "../clock/clock.ts"

const MINUTE_MS = 60_000
/** Ours: keys remembered in one minute, about 5 MB. Whoever comes from more addresses has so many that a limit for each is no limit. */
export const KEYS_MAX = 50_000

export class MinuteCount {
  readonly #clock: Clock
  readonly #counts = new Map<string, number>()
  #ends: Instant = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Counts one more; false: it is one too many. */
  add(key: string, max: number): boolean {
    const count = this.of(key)
    if (count >= max) return false
    if (count > 0 || this.#counts.size < KEYS_MAX) this.#counts.set(key, count + 1)
    return true
  }

  of(key: string): number {
    const now = this.#clock.now()
    if (now >= this.#ends || now < this.#ends - MINUTE_MS) {
      this.#counts.clear()
      this.#ends = now + MINUTE_MS
    }
    return this.#counts.get(key) ?? 0
  }
}
