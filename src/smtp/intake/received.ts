/** The line that says how the message came to us (RFC 5321 §4.4), put on top of the content. */
import type { Instant } from "../../clock/clock.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import { isIpv6, type IpAddress } from "../../names/ip-address.ts"
import type { MessageId } from "../../store/spool.ts"

export type Receipt = {
  readonly by: Hostname
  readonly id: MessageId
  readonly at: Instant
  readonly client: { readonly address: IpAddress; readonly helo: string }
  readonly extended: boolean
  readonly smtputf8: boolean
  /** Cipher suite by its IANA name; `undefined` for plain text. */
  readonly cipher: string | undefined
  readonly recipients: readonly string[]
}

export function receivedLine(receipt: Receipt): string {
  const { by, id, client, cipher, recipients } = receipt
  // RFC 5321 §7.6: with several recipients the line would tell each about the others.
  const to = recipients.length === 1 ? `\r\n\tfor <${recipients[0]}>` : ""
  const tls = cipher === undefined ? "" : `\r\n\ttls ${cipher}` // RFC 8314 §4.3
  return `Received: from ${from(client)}\r\n\tby ${by} with ${protocol(receipt)} id ${id}${to}${tls};\r\n\t${date(receipt.at)}\r\n`
}

/** What the client calls itself is only a claim; where it came from is known. */
function from({ address, helo }: Receipt["client"]): string {
  const literal = addressLiteral(address)
  if (hostname(helo) || LITERAL.test(helo)) return `${helo} (${literal})`
  return `${literal} (helo=${helo.replace(/[^A-Za-z0-9._:-]/g, "?")})`
}

const LITERAL = /^\[[0-9A-Za-z:.]+\]$/

export function addressLiteral(address: IpAddress): string {
  return isIpv6(address) ? `[IPv6:${address}]` : `[${address}]`
}

/** RFC 3848 and RFC 6531 §4.3. */
function protocol({ extended, smtputf8, cipher }: Receipt): string {
  const name = smtputf8 ? "UTF8SMTP" : extended ? "ESMTP" : "SMTP"
  return cipher === undefined ? name : `${name}S`
}

/** RFC 5322 §3.3. */
function date(at: Instant): string {
  return new Date(at).toUTCString().replace("GMT", "+0000")
}
