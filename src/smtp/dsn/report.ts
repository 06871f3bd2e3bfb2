/**
 * Writes delivery status notifications: multipart/report (RFC 6522) with a text for people, message/delivery-status
 * (RFC 3464) for programs, and what was sent. Pure: who is told, and when, is decided elsewhere. Apart from a sender's
 * own UTF-8 address the result is 7-bit whatever it quotes, so that it arrives where the original may not have.
 */
import { deliveryStatusPart } from "./delivery-status.ts"
import { dateTime, field, isAscii, mailbox, oneLine } from "./fields.ts"
import { isSevenBit, mimePart } from "./mime-part.ts"
import { ACTIONS, type Action, type Original, type Report, type ReportedRecipient } from "./reported.ts"

/** To be sent from the null reverse-path. `smtputf8`: only a UTF-8 aware host may carry it. */
export type Notification = { readonly to: string; readonly bytes: Uint8Array; readonly smtputf8: boolean }

export function writeReport(report: Report): Notification {
  const { original, id } = report
  const boundary = `=_${id}`
  const parts = [textPart(report), deliveryStatusPart(report), ...returnedPart(original)]
  const body = parts.map((part) => `--${boundary}\r\n${part}\r\n`).join("")
  const text = `${header(report, boundary)}\r\n${body}--${boundary}--\r\n`
  return { to: original.from, bytes: Buffer.from(text), smtputf8: !isAscii(original.from) }
}

function header({ id, reporter, at, original, recipients }: Report, boundary: string): string {
  const worst = ACTIONS.find((action) => recipients.some((recipient) => recipient.action === action)) ?? "failed"
  return [
    field("Date", dateTime(at)),
    field("From", `"Mail delivery at ${reporter}" <MAILER-DAEMON@${reporter}>`),
    field("To", `<${mailbox(original.from)}>`),
    field("Subject", SUBJECTS[worst]),
    field("Message-ID", `<${id}@${reporter}>`),
    field("Auto-Submitted", "auto-replied"), // RFC 3834 §5
    field("MIME-Version", "1.0"),
    field("Content-Type", `multipart/report; report-type=delivery-status; boundary="${boundary}"`),
  ].join("")
}

const SUBJECTS = {
  failed: "Your message could not be delivered",
  delayed: "Your message is still on its way",
  relayed: "Your message was passed on",
} as const satisfies Record<Action, string>

const NEWS = {
  failed: ["could not deliver your message to these recipients and will not try again:"],
  delayed: [
    "has not been able to deliver your message to these recipients yet. It keeps",
    "trying; you need not send the message again:",
  ],
  relayed: [
    "passed your message on for these recipients, to a host that does not tell",
    "whether it arrives. You will hear no more about it from here:",
  ],
} as const satisfies Record<Action, readonly string[]>

function textPart({ reporter, recipients }: Report): string {
  const sections = ACTIONS.flatMap((action) => {
    const about = recipients.filter((recipient) => recipient.action === action)
    const news = [`The mail relay ${reporter}`, ...NEWS[action], ""]
    return about.length === 0 ? [] : [...news, ...about.flatMap(lines), ""]
  })
  return mimePart("text/plain; charset=utf-8", Buffer.from(sections.map((line) => `${line}\r\n`).join("")))
}

function lines({ address, words, reply }: ReportedRecipient): string[] {
  const said = reply === undefined ? [] : [`    ${oneLine(`Its mail server said: ${reply}`)}`]
  return [`  <${mailbox(address)}>`, `    ${oneLine(words)}`, ...said]
}

/** RFC 2046 §5.2.1 and RFC 6522 §4. A message may not be encoded as a whole: one that is not 7-bit is cut to its header. */
function returnedPart({ smtputf8, returned }: Original): readonly string[] {
  if (!returned) return [] // RFC 6522 §3: the third part is optional
  const { kind, bytes } = returned
  if (kind === "message" && isSevenBit(bytes)) return [mimePart("message/rfc822", bytes)]
  const end = kind === "headers" ? -1 : Buffer.from(bytes).indexOf("\r\n\r\n")
  const headers = end < 0 ? bytes : bytes.subarray(0, end + 2)
  const international = smtputf8 && !isSevenBit(headers) // RFC 6533 §5
  return [mimePart(international ? "message/global-headers" : "text/rfc822-headers", headers)]
}
