/** One direction between two streams: what one reads is written to the other, and its end is passed on behind the last byte. */
import type { Duplex } from "node:stream"
import type { Meter } from "./meter.ts"
import type { Held } from "./rate-line.ts"

export class Pump implements Held {
  creditBytes = 0
  movedBytes = 0
  readonly #from: Duplex
  readonly #to: Duplex
  readonly #meter: Meter | undefined
  /** The destination has enough for the moment. */
  #blocked = false
  /** The rate of its meter holds it back. */
  #held = false

  constructor(from: Duplex, to: Duplex, meter: Meter | undefined) {
    this.#from = from
    this.#to = to
    this.#meter = meter
    to.on("drain", () => this.#unblocked())
    from.on("end", () => to.end())
    from.on("data", (piece: Uint8Array) => this.#pass(piece))
  }

  /** Also where the stream was paused before. */
  start(): void {
    this.#from.resume()
  }

  goOn(): void {
    this.#held = false
    this.#resume()
  }

  /** Both streams are closed. */
  release(): void {
    this.#meter?.line?.leave(this)
  }

  #pass(piece: Uint8Array): void {
    this.movedBytes += piece.length
    const line = this.#meter?.line
    if (line) this.#held = !line.spend(this, piece.length)
    this.#blocked = !this.#to.write(piece)
    if (this.#held || this.#blocked) this.#from.pause()
  }

  #unblocked(): void {
    this.#blocked = false
    this.#resume()
  }

  #resume(): void {
    if (!this.#held && !this.#blocked) this.#from.resume()
  }
}
