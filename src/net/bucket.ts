/**
 * A rate as a bucket of tokens, one for each byte: it fills at the rate, up to what may pass at once after a pause.
 * native/meter.c has the same for the connections that the native engine carries.
 */
import type { Clock, Instant } from "../clock/clock.ts"

/** Ours: what may pass at once after a pause, as time at the full rate. Well above the time between two refills. */
export const BURST_MS = 500
/** Ours: what is worth a turn; less is left to become more. */
export const GRANT_BYTES_MIN = 16 * 1024

export interface Tokens {
  /** At least `GRANT_BYTES_MIN`, or all that the bucket can hold; `wantBytes` if it has so many. 0: not yet. */
  take(wantBytes: number): number
  /** What was taken and did not pass; below 0: what passed before it was taken. */
  giveBack(bytes: number): void
  /** From here on; `undefined` ends the limit. A first rate begins with a full bucket. */
  limit(bytesPerSecond: number | undefined): void
}

export class Bucket implements Tokens {
  readonly #clock: Clock
  #bytesPerSecond = 0
  #bytes = 0
  #filledAt: Instant = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  limit(bytesPerSecond = 0): void {
    this.#fill() // what has passed until now was under the rate before
    const begins = this.#bytesPerSecond === 0
    this.#bytesPerSecond = bytesPerSecond
    if (begins) this.#bytes = this.#burstBytes
  }

  take(wantBytes: number): number {
    this.#fill()
    const leastBytes = Math.min(this.#burstBytes, GRANT_BYTES_MIN)
    const granted = Math.floor(Math.min(this.#bytes, Math.max(wantBytes, leastBytes)))
    if (granted < Math.floor(leastBytes)) return 0
    this.#bytes -= granted
    return granted
  }

  giveBack(bytes: number): void {
    this.#bytes += bytes
  }

  get #burstBytes(): number {
    return (this.#bytesPerSecond * BURST_MS) / 1000
  }

  #fill(): void {
    const now = this.#clock.now()
    const elapsedMs = Math.max(0, now - this.#filledAt) // a clock that was set back gives nothing, and takes nothing
    this.#filledAt = now
    this.#bytes = Math.min(this.#burstBytes, this.#bytes + (this.#bytesPerSecond * elapsedMs) / 1000)
  }
}
