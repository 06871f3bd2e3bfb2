/** What a visitor has said so far, kept in one piece for as long as nobody could decide by it. */

/** Ours: the first piece that is kept; it doubles, so that a hello in single bytes costs no square. */
const RECEIVED_BYTES_MIN = 1024

export class Received {
  #bytes: Uint8Array = new Uint8Array(0)
  #length = 0

  constructor(first: Uint8Array) {
    this.add(first)
  }

  /** Everything so far. A view that the next `add` may write over. */
  get view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length)
  }

  add(more: Uint8Array): void {
    const needed = this.#length + more.length
    if (needed > this.#bytes.length) this.#grow(Math.max(needed, 2 * this.#bytes.length, RECEIVED_BYTES_MIN))
    this.#bytes.set(more, this.#length)
    this.#length = needed
  }

  #grow(sizeBytes: number): void {
    const larger = Buffer.allocUnsafeSlow(sizeBytes)
    larger.set(this.view)
    this.#bytes = larger
  }
}
