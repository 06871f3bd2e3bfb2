/** Content of mail as it comes in from a relay, with a look ahead at its header section. Read once. */

/** Ours: as at intake, where longer header sections are refused. */
const HEADER_BYTES_MAX = 256 * 1024

export class ArrivingContent implements AsyncIterable<Uint8Array> {
  readonly #pieces: AsyncIterator<Uint8Array>
  readonly #ahead: Uint8Array[] = []

  constructor(pieces: AsyncIterable<Uint8Array>) {
    this.#pieces = pieces[Symbol.asyncIterator]()
  }

  /** Looks ahead; what is looked at still comes. */
  async headerIsAscii(): Promise<boolean> {
    for (;;) {
      const read = Buffer.concat(this.#ahead)
      const end = read.indexOf("\r\n\r\n")
      if (end >= 0 || read.length >= HEADER_BYTES_MAX) return isAscii(end < 0 ? read : read.subarray(0, end))
      const piece = await this.#pieces.next()
      if (piece.done) return isAscii(read)
      this.#ahead.push(piece.value)
    }
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array> {
    yield* this.#ahead.splice(0)
    for (let piece = await this.#pieces.next(); !piece.done; piece = await this.#pieces.next()) yield piece.value
  }
}

function isAscii(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte < 0x80)
}
