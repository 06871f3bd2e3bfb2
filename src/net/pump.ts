/**
 * One direction between two streams: what one reads is written to the other, and its end is passed on behind the last byte.
 * A tunnel gives what it carries in pieces of 8 kB, many of them in one turn of the event loop; behind the first one they
 * are gathered and written together when the turn ends, because a write costs more than the copy of what is written.
 */
import type { Duplex } from "node:stream"
import type { Meter } from "./meter.ts"
import type { Held } from "./rate-line.ts"

/** Ours: what the destination may have unwritten before the source is stopped; four reads of Node's. */
const UNWRITTEN_BYTES_MAX = 256 * 1024

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
  #gathering = false

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
    const full = !this.#to.write(piece)
    this.#blocked = full && this.#to.writableLength >= UNWRITTEN_BYTES_MAX
    this.#gather()
    if (this.#held || this.#blocked) this.#from.pause()
  }

  #gather(): void {
    if (this.#gathering) return
    this.#gathering = true
    this.#to.cork()
    setImmediate(writeTogether, this)
  }

  /** What was gathered in this turn. */
  flush(): void {
    this.#gathering = false
    this.#to.uncork()
  }

  #unblocked(): void {
    this.#blocked = false
    this.#resume()
  }

  #resume(): void {
    if (!this.#held && !this.#blocked) this.#from.resume()
  }
}

function writeTogether(pump: Pump): void {
  pump.flush()
}
