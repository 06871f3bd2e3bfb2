/** What a next hop says, as one value: code, enhanced status and a text that is safe to log and to quote. */

/** An SMTP reply (RFC 5321 §4.2) with its enhanced status (RFC 3463), where it has one that fits. */
export type Reply = { readonly code: number; readonly status: string | undefined; readonly text: string }

/** Ours: RFC 5321 §4.5.3.1.5 allows 512 octets a line and any number of lines; this much is kept. */
export const REPLY_CHARS_MAX = 500

const LINE = /^(?<code>\d{3})[ -]?(?:(?<status>[245]\.\d{1,3}\.\d{1,3})(?:\s+|$))?(?<text>.*)$/
/** Control characters of any kind, and what could not be decoded. */
// oxlint-disable-next-line no-control-regex -- they are what is removed
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\ufffd]+/g

/** Reads a reply of one or more lines. A text that is none has the code 0. */
export function readReply(text: string): Reply {
  const lines = text.split(/\r?\n/).map((line) => LINE.exec(line)?.groups)
  const code = Number(lines.at(-1)?.["code"] ?? 0)
  const status = lines.find((line) => line?.["status"])?.["status"]
  const words = lines.map((line) => line?.["text"] ?? "").join(" ")
  return {
    code,
    // RFC 2034 §4: its class and that of the reply code agree.
    status: status?.[0] === String(code)[0] ? status : undefined,
    text: printable(code === 0 ? text : words),
  }
}

/** As it would stand on one line: `550 5.1.1 No such user`. */
export function replyText(reply: Reply): string {
  return [reply.code === 0 ? "" : reply.code, reply.status ?? "", reply.text].filter((part) => part !== "").join(" ")
}

/** One line without control characters, cut to what is worth keeping. */
export function printable(text: string): string {
  const line = text.replace(UNPRINTABLE, " ").replace(/ {2,}/g, " ").trim()
  return line.length > REPLY_CHARS_MAX ? `${line.slice(0, REPLY_CHARS_MAX)}…` : line
}
