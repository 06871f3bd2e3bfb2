/** Replies as they go over the wire. */
import type { Reply } from "../delivery/reply.ts"

/** RFC 5321 §4.5.3.1.5: a reply line has at most 512 octets, with both codes and CRLF; room for a few that are not ASCII. */
const THEIR_TEXT_CHARS_MAX = 400

/** The friend's own words, as much of them as fits. */
export function theirText({ text }: Reply): string {
  return text.slice(0, THEIR_TEXT_CHARS_MAX)
}

/** RFC 2034 §4: a reply has an enhanced code with a class that fits, whether or not the friend's server has such codes. */
export function theirStatus({ code, status }: Reply): string {
  return status ?? `${String(code)[0]}.0.0`
}

/** RFC 5321 §4.2.1 and RFC 2034 §4: every line has both codes. A control character could make two replies of one. */
export function replyText(code: number, enhanced: string, lines: readonly string[]): string {
  const prefix = enhanced === "" ? "" : `${enhanced} `
  const last = lines.length - 1
  // eslint-disable-next-line no-control-regex
  const texts = lines.map((line) => `${prefix}${line.replace(/[\u0000-\u001f\u007f]/g, " ")}`)
  return texts.map((text, index) => `${code}${index < last ? "-" : " "}${text}\r\n`).join("")
}

/** What a stranger wrote goes into the log quoted, and never into a reply. */
export function quoted(command: Buffer): string {
  return JSON.stringify(command.toString())
}
