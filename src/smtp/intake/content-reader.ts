/**
 * Reads the content of a message as it arrives: finds where it ends, takes the stuffed dots out, and notices what must
 * not be passed on. Only CRLF ends a line and only CRLF.CRLF ends the content: servers that see an end in anything
 * else disagree about where one message stops and the next begins (SMTP smuggling, CVE-2023-51764 and its kin).
 * It goes on reading after it has refused, because the reply may only come at the real end.
 */
import type { FaultCode } from "../../faults/faults.ts"

/**
 * Ours: RFC 5321 §4.5.3.1.6 allows 1,000 octets with CRLF, much honest mail has longer lines, and nothing honest has these.
 */
export const LINE_BYTES_MAX = 65_536

/** What came of one piece of input. */
export type ContentRead = {
  /** What belongs to the message, unstuffed. */
  readonly content: Uint8Array
  /** Input after this belongs to what follows the content. */
  readonly consumedBytes: number
  readonly ended: boolean
}

/** `dot`: content of DATA, RFC 5321 §4.5.2. `counted`: of BDAT, RFC 3030, whose end the caller knows. */
export type Ending = "dot" | "counted"

type At =
  | "line start"
  | "text"
  | "CR" // inside a line
  | "dot" // at the start of a line
  | "dot CR"

const NUL = 0x00
const LF = 0x0a
const CR = 0x0d
const DOT = 0x2e

export class ContentReader {
  readonly #ending: Ending
  #at: At = "line start"
  #lineBytes = 0
  #refusal: FaultCode | undefined

  constructor(ending: Ending) {
    this.#ending = ending
  }

  /** Why the content, as far as it was read, must be refused; the first reason counts. */
  get refusal(): FaultCode | undefined {
    return this.#refusal
  }

  /** Whether the content ends in the middle of a line. Content of DATA never does. */
  get endsInsideLine(): boolean {
    return this.#at !== "line start"
  }

  read(bytes: Uint8Array): ContentRead {
    const pieces: Uint8Array[] = []
    let pieceFrom = 0
    let lineFrom = 0
    for (let index = 0; index < bytes.length; index++) {
      const byte = bytes[index]
      if (this.#at === "text" && byte !== CR && byte !== LF && byte !== NUL) continue
      const before = this.#at
      this.#at = this.#after(byte)
      if (this.#at === "dot") {
        pieces.push(bytes.subarray(pieceFrom, index))
        pieceFrom = index + 1
      } else if (this.#at === "line start") {
        this.#countLine(index - lineFrom)
        this.#lineBytes = 0
        lineFrom = index + 1
        if (before === "dot CR") return { content: joined(pieces), consumedBytes: index + 1, ended: true }
      }
    }
    this.#countLine(bytes.length - lineFrom)
    // The CR behind a dot belongs to the end or, if it is a bare one, to content that is refused anyway.
    if (this.#at !== "dot CR") pieces.push(bytes.subarray(pieceFrom))
    return { content: joined(pieces), consumedBytes: bytes.length, ended: false }
  }

  /** For counted content, when the last of it was read. */
  finish(): void {
    if (this.#at === "CR") this.#refuse("BARE_LINE_END")
  }

  #after(byte: number | undefined): At {
    if (byte === LF) return this.#afterLf()
    if (this.#at === "CR" || this.#at === "dot CR") this.#refuse("BARE_LINE_END")
    if (byte === CR) return this.#at === "dot" ? "dot CR" : "CR"
    if (byte === NUL) this.#refuse("NUL_IN_CONTENT")
    return byte === DOT && this.#at === "line start" && this.#ending === "dot" ? "dot" : "text"
  }

  #afterLf(): At {
    if (this.#at === "CR" || this.#at === "dot CR") return "line start"
    this.#refuse("BARE_LINE_END")
    return "text"
  }

  #countLine(moreBytes: number): void {
    this.#lineBytes += moreBytes
    if (this.#lineBytes > LINE_BYTES_MAX) this.#refuse("LINE_TOO_LONG")
  }

  #refuse(why: FaultCode): void {
    this.#refusal ??= why
  }
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const [only = new Uint8Array()] = pieces
  return pieces.length <= 1 ? only : Buffer.concat(pieces)
}
