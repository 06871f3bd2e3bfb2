/**
 * One direction of a carried connection: what one socket reads is written to the other. Nothing is read while a write
 * is not done, so a stopped reader stops the sender, and no more than one buffer is held between them.
 */
import type { Socket } from "node:net"
import type { Meter } from "./meter.ts"
import type { Held } from "./rate-line.ts"
import type { ReadBuffer, ReadBuffers } from "./read-buffers.ts"

/**
 * Ours: what one direction may move before the others have their turn. Left alone, libuv reads up to 32 buffers of one
 * socket in a row: 8 MB, for which everybody else would wait 50 ms.
 */
export const TURN_BYTES_MAX = 256 * 1024

/** What a direction tells the connection that it belongs to. */
export interface FlowOwner {
  /** Something moved. */
  touch(): void
  /** The source has finished, and `to` has been given everything it said. */
  finished(to: Socket): void
}

export type FlowOptions = {
  readonly from: Socket
  readonly to: Socket
  readonly buffers: ReadBuffers
  readonly owner: FlowOwner
  /** Whose rate holds it back. */
  readonly meter: Meter | undefined
}

export class Flow implements Held {
  creditBytes = 0
  /** What the destination's socket has taken. */
  sentBytes = 0
  readonly #from: Socket
  readonly #to: Socket
  readonly #buffers: ReadBuffers
  readonly #owner: FlowOwner
  readonly #meter: Meter | undefined
  #buffer: ReadBuffer
  #turnBytes = 0
  /** A write that could not be taken at once is under way. */
  #blocked = false
  /** The rate of its meter holds it back. */
  #held = false
  #finished = false

  constructor({ from, to, buffers, owner, meter }: FlowOptions) {
    this.#from = from
    this.#to = to
    this.#buffers = buffers
    this.#buffer = buffers.shared
    this.#owner = owner
    this.#meter = meter
  }

  /** Sends what goes before anything that is read, and begins to read once it is on its way. */
  start(first: Uint8Array): void {
    if (first.length === 0 || this.#send(first)) this.resume()
  }

  /** Where to read next; asked right after every read, and only then is it safe to change. */
  get buffer(): Uint8Array {
    return this.#buffer.bytes
  }

  /** Hands on what was read; `false`: read no more, the flow will resume by itself. */
  read(readBytes: number, buffer: Uint8Array): boolean {
    this.#owner.touch()
    const bytes = readBytes === buffer.length ? buffer : buffer.subarray(0, readBytes)
    const line = this.#meter?.line
    if (line) this.#held = !line.spend(this, readBytes)
    if (!this.#send(buffer === this.#buffers.shared.bytes ? Buffer.from(bytes) : bytes)) return false
    if (this.#held) return this.#waitForTurn()
    this.#buffer = this.#buffers.after(this.#buffer, readBytes)
    return this.#mayGoOn(readBytes === buffer.length ? readBytes : 0)
  }

  /** The source has finished: the destination is told so behind everything that was sent. */
  finish(): void {
    this.#finished = true
    if (!this.#blocked) this.#owner.finished(this.#to)
  }

  /** Reads on, unless there is nothing more to come or something holds it back. */
  resume(): void {
    if (!this.#from.destroyed && !this.#finished && !this.#held && !this.#blocked) this.#from.resume()
  }

  /** Its turn under the rate has come. */
  goOn(): void {
    this.#held = false
    this.resume()
  }

  /** Both sockets are closed. */
  release(): void {
    this.#meter?.line?.leave(this)
    this.#buffer = this.#buffers.giveBack(this.#buffer)
  }

  /** Whether all of it was taken at once. */
  #send(bytes: Uint8Array): boolean {
    const to = this.#to
    to.write(bytes)
    // Only an empty Writable says that the kernel has all of it and the buffer is free: the handle's own queue is also
    // empty while this write merely waits for the callback of the one before.
    if (to.writableLength === 0) {
      if (!to.destroyed && to.errored === null) this.sentBytes += bytes.length
      return true
    }
    this.#blocked = true
    // Done when all before it is: a callback for every write would cost more than most writes.
    to.write(NOTHING, (error) => this.#unblocked(error ? 0 : bytes.length))
    return false
  }

  #unblocked(sentBytes: number): void {
    this.#blocked = false
    this.sentBytes += sentBytes
    this.#owner.touch()
    if (this.#finished) this.#owner.finished(this.#to)
    else this.resume()
  }

  /** Small reads again when its turn comes, or each could overdraw the rate by a large buffer. */
  #waitForTurn(): false {
    this.#buffer = this.#buffers.giveBack(this.#buffer)
    this.#turnBytes = 0
    return false
  }

  /** A read that did not fill its buffer has emptied the socket, and the turn is over by itself. */
  #mayGoOn(fullBytes: number): boolean {
    this.#turnBytes = fullBytes === 0 ? 0 : this.#turnBytes + fullBytes
    if (this.#turnBytes < TURN_BYTES_MAX) return true
    this.#turnBytes = 0
    setImmediate(resumeLater, this)
    return false
  }
}

const NOTHING = new Uint8Array(0)

function resumeLater(flow: Flow): void {
  flow.resume()
}
