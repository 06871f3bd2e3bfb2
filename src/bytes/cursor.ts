/**
 * A bounded reader over bytes in network order. Every read says `undefined` instead of running past the end,
 * so a lying length in a peer's message ends as a refusal and never as an exception.
 */
import { latin1 } from "./latin1.ts"

export class Cursor {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  /** Over `bytes` from `at` to before `end`: a view costs more than two numbers. */
  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.#bytes = bytes
    this.#at = at
    this.#end = end
  }

  get leftBytes(): number {
    return this.#end - this.#at
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
    const length = this.#length(lengthBytes)
    if (length === undefined || length > this.leftBytes) return undefined
    const at = this.#at
    this.#at += length
    return new Cursor(this.#bytes, at, this.#at)
  }

  /** Passes over such a block: how many bytes it holds, if all are there. */
  skipBlock(lengthBytes: 1 | 2 | 3): number | undefined {
    const length = this.#length(lengthBytes)
    return length !== undefined && this.skip(length) ? length : undefined
  }

  /** Passes over the next `count` bytes; `false` if there are not so many. */
  skip(count: number): boolean {
    if (count > this.leftBytes) return false
    this.#at += count
    return true
  }

  #length(lengthBytes: 1 | 2 | 3): number | undefined {
    return lengthBytes === 1 ? this.u8() : lengthBytes === 2 ? this.u16() : this.u24()
  }

  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at, this.#end)
  }

  /** The rest as Latin-1, one character for each byte: what is not ASCII cannot turn into something that is. */
  restText(): string {
    return latin1(this.#bytes, this.#at, this.#end)
  }
}
