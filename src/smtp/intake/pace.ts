/** Whether a client sends content as fast as an honest one does: byte by byte, one could hold a connection for ever. */
import type { Clock, Instant } from "../../clock/clock.ts"

/** As Postfix (smtpd_min_data_rate): slower than any modem. */
export const RATE_BYTES_PER_S_MIN = 500
/** Ours: everybody may stall for as long as this in all. */
export const GRACE_MS = 60_000

/** Ours: how soon to look again when we are the ones who are slow. */
const LOOK_AGAIN_MS = 1_000

export class Pace {
  readonly #clock: Clock
  #deadline: Instant
  #oursSince: Instant | undefined

  constructor(clock: Clock) {
    this.#clock = clock
    this.#deadline = clock.now() + GRACE_MS
  }

  received(bytes: number): void {
    this.#deadline += (bytes * 1000) / RATE_BYTES_PER_S_MIN
  }

  /** The time that something takes on our side is not the client's. Not while another runs. */
  async without<Value>(ours: Promise<Value>): Promise<Value> {
    const since = this.#clock.now()
    this.#oursSince = since
    try {
      return await ours
    } finally {
      this.#deadline += this.#clock.now() - since
      this.#oursSince = undefined
    }
  }

  /** How long from here until the client is too slow, if it sends nothing more; 0 if it is. */
  leftMs(): number {
    const left = this.#deadline - (this.#oursSince ?? this.#clock.now())
    return Math.max(this.#oursSince === undefined ? 0 : LOOK_AGAIN_MS, left)
  }
}
