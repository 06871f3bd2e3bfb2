/**
 * One direction of a carried connection: what one socket reads is written to the other. Nothing is read while a write
 * is not done, so a stopped reader stops the sender, and no more than one buffer is held between them.
 */
import type { Socket } from "node:net"
import type { ReadBuffer, ReadBuffers } from "./read-buffers.ts"

/**
 * Ours: what one direction may move before the others have their turn. Left alone, libuv reads up to 32 buffers of one
 * socket in a row: 8 MB, for which everybody else would wait 50 ms.
 */
export const TURN_BYTES_MAX = 256 * 1024

export class Flow {
  /** What the destination's socket has taken. */
  sentBytes = 0
  readonly #from: Socket
  readonly #to: Socket
  readonly #buffers: ReadBuffers
  readonly #touch: () => void
  #buffer: ReadBuffer
  #turnBytes = 0
  /** Bytes that the destination has been given and could not take at once. */
  #owedBytes = 0
  #writesUnderWay = 0
  #finished = false

  /** `touch` is called whenever something moved. */
  constructor(from: Socket, to: Socket, buffers: ReadBuffers, touch: () => void) {
    this.#from = from
    this.#to = to
    this.#buffers = buffers
    this.#buffer = buffers.shared
    this.#touch = touch
  }

  /** Sends what goes before anything that is read, and begins to read once it is on its way. */
  start(first: Uint8Array): void {
    if (first.length === 0 || this.#send(first)) this.#resume()
  }

  /** Where to read next; asked right after every read, and only then is it safe to change. */
  get buffer(): Uint8Array {
    return this.#buffer.bytes
  }

  /** Hands on what was read; `false`: read no more, the flow will resume by itself. */
  read(readBytes: number, buffer: Uint8Array): boolean {
    this.#touch()
    const bytes = readBytes === buffer.length ? buffer : buffer.subarray(0, readBytes)
    if (!this.#send(buffer === this.#buffers.shared.bytes ? Buffer.from(bytes) : bytes)) return false
    this.#buffer = this.#buffers.after(this.#buffer, readBytes)
    return this.#mayGoOn(readBytes === buffer.length ? readBytes : 0)
  }

  /** The source has finished: the destination is told so behind everything that was sent. */
  finish(): void {
    this.#finished = true
    if (this.#owedBytes === 0) this.#to.end()
  }

  /** Both sockets are closed. */
  release(): void {
    this.#buffer = this.#buffers.giveBack(this.#buffer)
  }

  /** Whether all of it was taken at once. */
  #send(bytes: Uint8Array): boolean {
    this.#writesUnderWay += 1
    this.#to.write(bytes, this.#written)
    // Only an empty Writable says that the kernel has all of it and the buffer is free: the handle's own queue is also
    // empty while this write merely waits for the callback of the one before.
    if (this.#to.writableLength > 0) this.#owedBytes += bytes.length
    else this.sentBytes += bytes.length
    return this.#owedBytes === 0
  }

  readonly #written = (error?: Error | null): void => {
    this.#writesUnderWay -= 1
    if (error || this.#writesUnderWay > 0 || this.#owedBytes === 0) return
    this.#touch()
    this.sentBytes += this.#owedBytes
    this.#owedBytes = 0
    if (this.#finished) this.#to.end()
    else this.#resume()
  }

  /** A read that did not fill its buffer has emptied the socket, and the turn is over by itself. */
  #mayGoOn(fullBytes: number): boolean {
    this.#turnBytes = fullBytes === 0 ? 0 : this.#turnBytes + fullBytes
    if (this.#turnBytes < TURN_BYTES_MAX) return true
    this.#turnBytes = 0
    setImmediate(this.#resume)
    return false
  }

  readonly #resume = (): void => {
    if (!this.#from.destroyed && !this.#finished) this.#from.resume()
  }
}
