/**
 * A bounded reader over bytes in network order. Every read says `undefined` instead of running past the end,
 * so a lying length in a peer's message ends as a refusal and never as an exception.
 */
export class Cursor {
  readonly #bytes: Uint8Array
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
  }

  get leftBytes(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number | undefined {
    return this.leftBytes === 0 ? undefined : this.#bytes[this.#at++]
  }

  u16(): number | undefined {
    const high = this.u8()
    const low = this.u8()
    return high === undefined || low === undefined ? undefined : high * 0x100 + low
  }

  u24(): number | undefined {
    const high = this.u8()
    const low = this.u16()
    return high === undefined || low === undefined ? undefined : high * 0x10000 + low
  }

  u32(): number | undefined {
    const high = this.u16()
    const low = this.u16()
    return high === undefined || low === undefined ? undefined : high * 0x10000 + low
  }

  /** The next `count` bytes as a view, not a copy. */
  take(count: number | undefined): Uint8Array | undefined {
    if (count === undefined || count > this.leftBytes) return undefined
    const taken = this.#bytes.subarray(this.#at, this.#at + count)
    this.#at += count
    return taken
  }

  /** A block behind its own length, as TLS and PROXY write them: `lengthBytes` bytes of length, then the content. */
  block(lengthBytes: 1 | 2 | 3): Cursor | undefined {
    const length = lengthBytes === 1 ? this.u8() : lengthBytes === 2 ? this.u16() : this.u24()
    const content = this.take(length)
    return content && new Cursor(content)
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }

  /** The rest as Latin-1, one character for each byte: what is not ASCII cannot turn into something that is. */
  restText(): string {
    const rest = this.rest()
    return Buffer.from(rest.buffer, rest.byteOffset, rest.length).toString("latin1")
  }
}
