/** What a message asks of a next hop beyond RFC 5321, and what stands in its way when the next hop does not offer it. */
import type { KeptMessage, KeptRecipient, NewRecipient } from "../../store/spool.ts"
import { failed, type Answer, type HopFacts } from "./answer.ts"
import { encodeXtext } from "./xtext.ts"

/** EHLO keywords in upper case and what follows them. */
export type Features = ReadonlyMap<string, string>

/** What a sender asked for with MAIL. */
export type Asking = Pick<KeptMessage, "smtputf8" | "requireTls" | "ret" | "envid">

/** What nodemailer does not add to MAIL FROM by itself. */
export function mailParameters(message: Asking, features: Features): readonly string[] {
  const dsn = features.has("DSN")
  return [
    ...(message.smtputf8 && features.has("SMTPUTF8") ? ["SMTPUTF8"] : []),
    ...(message.requireTls ? ["REQUIRETLS"] : []), // RFC 8689 §2; without the keyword `obstacle` stopped it
    ...(dsn && message.ret ? [`RET=${message.ret}`] : []),
    ...(dsn && message.envid !== undefined ? [`ENVID=${encodeXtext(message.envid)}`] : []),
  ]
}

/** RFC 3461 §4.1 and §4.2, for this recipient and no other. */
export function recipientParameters(recipient: NewRecipient, features: Features): readonly string[] {
  if (!features.has("DSN")) return []
  return [
    ...(recipient.notify ? [`NOTIFY=${recipient.notify.join(",")}`] : []),
    ...(recipient.orcpt !== undefined ? [`ORCPT=${encodeXtext(recipient.orcpt)}`] : []),
  ]
}

type Asked = {
  readonly message: KeptMessage
  readonly recipients: readonly KeptRecipient[]
  readonly headerIsAscii: () => Promise<boolean>
}

/**
 * Why the message cannot go to this next hop at all; `undefined` if it can. A next hop without 8BITMIME is no obstacle:
 * the content goes as it is, because a conversion would break its DKIM signatures (docs/decisions.md).
 */
export async function obstacle(asked: Asked, features: Features, from: HopFacts): Promise<Answer | undefined> {
  const { message, recipients } = asked
  if (message.sealed) return failed("later", "HOME_CANNOT_OPEN", `${from.host} is spoken to in SMTP`, from)
  const addresses = [message.from, ...recipients.map(({ address }) => address)]
  const odd = addresses.find((address) => !isSendable(address))
  if (odd !== undefined) return failed("refused", "ADDRESS_MALFORMED", "an address cannot be written in SMTP", from)
  if (message.requireTls && !features.has("REQUIRETLS"))
    return failed("refused", "HOME_LACKS_REQUIRETLS", `${from.host} does not offer REQUIRETLS`, from)
  // RFC 8689 §4.2.1: TLS with whoever answers is not enough.
  if (message.requireTls && (from.tls === undefined || from.proof === undefined))
    return failed("refused", "HOME_LACKS_REQUIRETLS", `${from.host} proved nothing about itself`, from)
  const sizeMax = Number(features.get("SIZE") || 0) // RFC 1870 §4: 0 and nothing mean that no limit is told
  if (sizeMax > 0 && message.sizeBytes > sizeMax)
    return failed("refused", "HOME_TAKES_LESS", `${message.sizeBytes} bytes, ${from.host} takes ${sizeMax}`, from)
  // RFC 6531 §3.2: what needs the extension may not go where it is not offered. The keyword alone does not need it.
  const needsUtf8 = !features.has("SMTPUTF8") && (addresses.some(isNotAscii) || !(await asciiHeader(asked)))
  return needsUtf8 ? failed("refused", "HOME_LACKS_SMTPUTF8", `${from.host} does not offer SMTPUTF8`, from) : undefined
}

/** Whether an address can stand between the brackets of a path. */
export function isSendable(address: string): boolean {
  return !UNSENDABLE.test(address)
}

/** Control characters, angle brackets and line ends. */
// oxlint-disable-next-line no-control-regex -- they are what is refused
const UNSENDABLE = /[\u0000-\u001f\u007f<>]/

export function isNotAscii(text: string): boolean {
  // oxlint-disable-next-line no-control-regex -- the range is ASCII
  return /[^\u0000-\u007f]/.test(text)
}

/** RFC 6532 allows UTF-8 in headers only where it was declared; stray 8-bit bytes elsewhere pass as they came. */
async function asciiHeader({ message, headerIsAscii }: Asked): Promise<boolean> {
  return !message.smtputf8 || (await headerIsAscii())
}
