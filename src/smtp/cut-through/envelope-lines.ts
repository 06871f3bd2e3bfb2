/** MAIL and RCPT as the friend's server is asked, with what it offers of the extensions that the sender used. */
import { fault, type Fault } from "../../faults/faults.ts"
import type { NewRecipient } from "../../store/spool.ts"
import { isNotAscii, isSendable, mailParameters, recipientParameters, type Features } from "../delivery/parameters.ts"
import type { MailCommand } from "../intake/path-command.ts"

export function mailLine(mail: MailCommand, features: Features): string {
  return [
    `MAIL FROM:<${mail.sender?.text ?? ""}>`,
    ...(mail.sizeBytes !== undefined && features.has("SIZE") ? [`SIZE=${mail.sizeBytes}`] : []),
    ...(mail.body === "8bitmime" && features.has("8BITMIME") ? ["BODY=8BITMIME"] : []),
    ...mailParameters(mail, features),
  ].join(" ")
}

export function rcptLine(recipient: NewRecipient, features: Features): string {
  return [`RCPT TO:<${recipient.address}>`, ...recipientParameters(recipient, features)].join(" ")
}

/** Why this server cannot be asked at all; `undefined` if it can. */
export function inTheWay(mail: MailCommand, recipient: NewRecipient, features: Features): Fault | undefined {
  const addresses = [mail.sender?.text ?? "", recipient.address]
  if (!addresses.every(isSendable)) return fault("ADDRESS_MALFORMED", "an address cannot be written in SMTP")
  // It is offered for routes alone on which nothing leaves without proof, so that this is all that can be missing.
  if (mail.requireTls && !features.has("REQUIRETLS"))
    return fault("HOME_LACKS_REQUIRETLS", "the friend's server does not offer REQUIRETLS")
  // RFC 6531 §3.2: what needs the extension may not go where it is not offered.
  if (!features.has("SMTPUTF8") && addresses.some(isNotAscii))
    return fault("HOME_LACKS_SMTPUTF8", "the friend's server does not offer SMTPUTF8")
  return undefined
}

/**
 * What only the queue can do well: to look into the header whether it really needs SMTPUTF8, and to tell the sender that
 * nobody will tell him more ("relayed", RFC 3461 §5.2.2).
 */
export function needsQueue(mail: MailCommand, recipient: NewRecipient, features: Features): boolean {
  const headerInDoubt = mail.smtputf8 && !features.has("SMTPUTF8")
  return headerInDoubt || (!features.has("DSN") && recipient.notify?.includes("SUCCESS") === true)
}
