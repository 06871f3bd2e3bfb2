/** The part for programs: message/delivery-status (RFC 3464 §2), or its UTF-8 form (RFC 6533 §4) where an address needs it. */
import { dateTime, field, isAscii } from "./fields.ts"
import { mimePart } from "./mime-part.ts"
import type { Report, ReportedRecipient } from "./reported.ts"

export function deliveryStatusPart(report: Report): string {
  const groups = [messageFields(report), ...report.recipients.map(recipientFields)]
  const international = report.recipients.some(isInternational)
  const text = groups.join("\r\n")
  // RFC 3464 §2.1.2 leaves diagnostic texts to ASCII; only the UTF-8 form can quote others.
  return international
    ? mimePart("message/global-delivery-status", Buffer.from(text))
    : mimePart("message/delivery-status", Buffer.from(withoutUtf8(text)))
}

function messageFields({ reporter, original }: Report): string {
  return [
    field("Original-Envelope-Id", original.envid),
    field("Reporting-MTA", `dns; ${reporter}`),
    field("Received-From-MTA", `dns; ${original.receivedFrom}`),
    field("Arrival-Date", dateTime(original.arrivedAt)),
  ].join("")
}

function recipientFields(recipient: ReportedRecipient): string {
  const { address, orcpt, action, status, remote, reply, lastAttemptAt, retryUntil } = recipient
  return [
    field("Original-Recipient", orcpt === undefined ? undefined : originalRecipient(orcpt)),
    field("Final-Recipient", `${isAscii(address) ? "rfc822" : "utf-8"}; ${address}`),
    field("Action", action),
    field("Status", status),
    field("Remote-MTA", remote && `dns; ${remote}`),
    field("Diagnostic-Code", reply && `smtp; ${reply}`),
    field("Last-Attempt-Date", dateTime(lastAttemptAt)),
    field("Will-Retry-Until", retryUntil === undefined ? undefined : dateTime(retryUntil)),
  ].join("")
}

/** ORCPT is `type;address`; the field wants a type that is a word. */
function originalRecipient(orcpt: string): string | undefined {
  const parts = /^(?<type>[A-Za-z0-9-]+);(?<address>.*)$/s.exec(orcpt)?.groups
  return parts && `${parts["type"]}; ${parts["address"]}`
}

function isInternational({ address, orcpt = "" }: ReportedRecipient): boolean {
  return !isAscii(address) || !isAscii(orcpt)
}

function withoutUtf8(text: string): string {
  // oxlint-disable-next-line no-control-regex -- the range is ASCII
  return text.replace(/[^\u0000-\u007f]/gu, "?")
}
