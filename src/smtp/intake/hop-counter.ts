/**
 * Counts the Received lines of a header section as it streams by. A message that has passed too many hosts is in a
 * loop, and only the count shows it (RFC 5321 §6.3). The body, which may quote such lines, is not looked at.
 */

/** RFC 5321 §6.3 asks for at least 100 where a host only guesses; as Postfix (hopcount_limit), which everybody survives. */
export const HOPS_MAX = 50

const FIELD = "received:"
const CR = 0x0d
const LF = 0x0a

export class HopCounter {
  #hops = 0
  /** Where we are: so many characters of FIELD matched at the start of a line; in another line; or behind the header. */
  #at: number | "other line" | "body" = 0
  #lineIsEmpty = true

  get hops(): number {
    return this.#hops
  }

  read(bytes: Uint8Array): void {
    for (let index = 0; index < bytes.length && this.#at !== "body"; index++) this.#readByte(bytes[index] ?? 0)
  }

  #readByte(byte: number): void {
    if (byte === LF) {
      this.#at = this.#lineIsEmpty ? "body" : 0
      this.#lineIsEmpty = true
    } else if (byte !== CR) {
      this.#lineIsEmpty = false
      this.#match(byte)
    }
  }

  #match(byte: number): void {
    if (typeof this.#at !== "number") return
    this.#at = FIELD.charCodeAt(this.#at) === toLowerCase(byte) ? this.#at + 1 : "other line"
    if (this.#at !== FIELD.length) return
    this.#hops += 1
    this.#at = "other line"
  }
}

/** Of an ASCII letter; the colon stays what it is. */
function toLowerCase(byte: number): number {
  return byte | 0x20
}
