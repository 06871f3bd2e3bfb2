/** A deadline that is moved on as a dialogue goes forward. Rings at most once for each setting. */
import type { Clock } from "../../clock/clock.ts"

export class Alarm {
  readonly #clock: Clock
  #forget = (): void => {}

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Replaces whatever was set before. */
  set(delayMs: number, ring: () => void): void {
    this.#forget()
    this.#forget = this.#clock.after(delayMs, ring)
  }

  clear(): void {
    this.#forget()
    this.#forget = () => {}
  }
}
