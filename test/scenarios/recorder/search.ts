/**
 * Whether bytes contain a text, also where mail and web change its spelling on the way: dots doubled at the start of
 * lines (RFC 5321 §4.5.2), quoted-printable and base64 (RFC 2045 §6). Whoever can read would undo these without thinking.
 */

/** The bytes are looked at as they are, and after each of the three was undone. */
export function containsInSomeSpelling(bytes: Buffer, text: string): boolean {
  const latin1 = bytes.toString("latin1")
  const wanted = Buffer.from(text).toString("latin1")
  return [latin1, withoutDotStuffing(latin1), fromQuotedPrintable(latin1), ...fromBase64(latin1)].some((spelling) =>
    spelling.includes(wanted),
  )
}

function withoutDotStuffing(text: string): string {
  return text.replaceAll("\r\n..", "\r\n.")
}

function fromQuotedPrintable(text: string): string {
  return text
    .replace(/=[ \t]*\r?\n/g, "")
    .replace(/=([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
}

/** Ours: shorter runs of base64's letters are words. */
const BASE64_RUN = /(?:[A-Za-z0-9+/]{2,}(?:\r?\n)?){8,}={0,2}/g

function fromBase64(text: string): string[] {
  return (text.match(BASE64_RUN) ?? []).map((run) => Buffer.from(run, "base64").toString("latin1"))
}
