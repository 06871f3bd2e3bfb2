/** MIME parts that pass through every mail host: 7-bit, in lines of bearable length (RFC 2045). */

/** RFC 5322 §2.1.1: a line has at most 998 octets without CRLF. */
const LINE_BYTES_MAX = 998
/** RFC 2045 §6.7 rule 5: an encoded line has at most 76 characters, "=" at its end included. */
const ENCODED_CHARS_MAX = 76

/** A part with its header; the content is encoded as quoted-printable where it has to be. */
export function mimePart(type: string, content: Uint8Array): string {
  const plain = isSevenBit(content)
  const header = `Content-Type: ${type}\r\nContent-Transfer-Encoding: ${plain ? "7bit" : "quoted-printable"}\r\n`
  return `${header}\r\n${plain ? Buffer.from(content).toString("latin1") : quotedPrintable(content)}`
}

/** Whether the content may travel as it is: ASCII without NUL, CRLF alone as line end, no overlong line. */
export function isSevenBit(content: Uint8Array): boolean {
  const text = Buffer.from(content).toString("latin1")
  return !UNFIT.test(text) && text.split("\r\n").every((line) => line.length <= LINE_BYTES_MAX)
}

/** NUL, 8-bit bytes, CR or LF alone. */
// oxlint-disable-next-line no-control-regex -- they are what is looked for
const UNFIT = /[\u0000\u0080-\u00ff]|\r(?!\n)|(?<!\r)\n/

/** RFC 2045 §6.7. Line ends stay what they are. */
export function quotedPrintable(content: Uint8Array): string {
  return Buffer.from(content).toString("latin1").split("\r\n").map(encodedLine).join("\r\n")
}

function encodedLine(line: string): string {
  const units = Array.from(line, (character, at) =>
    // A space at the end of a line does not survive (rule 3).
    NEEDS_NONE.test(character) || (character === " " && at < line.length - 1) ? character : escaped(character),
  )
  let encoded = ""
  let column = 0
  for (const unit of units) {
    if (column + unit.length > ENCODED_CHARS_MAX - 1) {
      encoded += "=\r\n"
      column = 0
    }
    encoded += unit
    column += unit.length
  }
  return encoded
}

const NEEDS_NONE = /[!-<>-~]/

function escaped(character: string): string {
  return `=${character.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")}`
}
