/**
 * Addresses as RFC 5321 §4.1.2 and RFC 6531 §3.3 write them. Who is meant is decided on the parsed value: a relay that
 * looks for "@dave.example" in the text can be made to forward to anybody.
 */
import { domainToASCII } from "node:url"
import { hostname, type Hostname } from "../../names/hostname.ts"

export type Mailbox = {
  /** What is meant: without quotes and backslashes. Case as given (RFC 5321 §2.4). */
  readonly localPart: string
  /** `undefined`: an address literal such as `[192.0.2.1]`, which may stand in a reverse-path only. */
  readonly domain: Hostname | undefined
  /** As it is sent on: quoted only where it must be, the domain in A-labels. */
  readonly text: string
}

export type MailboxRead =
  { readonly kind: "value"; readonly value: Mailbox } | { readonly kind: "routed" } | { readonly kind: "malformed" }

/** RFC 5321 §4.5.3.1.3: a path has at most 256 octets, brackets included. The 64 of a local part are too few for real senders. */
const MAILBOX_BYTES_MAX = 254

const QUOTED = /^"(?<quoted>(?:[^"\\]|\\.)*)"@(?<domain>.+)$/su
/** RFC 5322 §3.2.3 atext and RFC 6531 §3.3. Dots where the grammar has none (`first..last@`) are in use and harmless. */
const UNQUOTED = /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~.\u{a1}-\u{10ffff}-]+$/u
const DOT_STRING = /^[^.]+(?:\.[^.]+)*$/u
/** Controls, and what is invisible or turns the reading direction: two addresses that look alike must be alike. */
const UNSAFE = /[\p{Cc}\p{Cs}\u2000-\u200b\u2028-\u202e\u2060\u2066-\u2069\u3000\ufeff\ufffd]/u
const LITERAL = /^\[[0-9A-Za-z:.-]+\]$/
const ASCII = /^[\x20-\x7e]*$/

/** Reads what stands between the brackets of a path. `routed`: a source route, or a second `@` that nothing quotes. */
export function readMailbox(path: string): MailboxRead {
  if (path.startsWith("@")) return { kind: "routed" }
  if (Buffer.byteLength(path) > MAILBOX_BYTES_MAX || UNSAFE.test(path)) return { kind: "malformed" }
  const quoted = QUOTED.exec(path)?.groups
  if (quoted) return mailbox((quoted["quoted"] ?? "").replace(/\\(.)/gsu, "$1"), quoted["domain"] ?? "")
  const at = path.lastIndexOf("@")
  const localPart = path.slice(0, Math.max(at, 0))
  if (localPart.includes("@")) return { kind: "routed" }
  return UNQUOTED.test(localPart) ? mailbox(localPart, path.slice(at + 1)) : { kind: "malformed" }
}

/** Whether the address can only be sent with SMTPUTF8 (RFC 6531 §3.1). */
export function needsUtf8(path: string): boolean {
  return !ASCII.test(path)
}

function mailbox(localPart: string, domainText: string): MailboxRead {
  if (LITERAL.test(domainText)) return found(localPart, undefined, domainText)
  const ascii = ASCII.test(domainText) ? domainText : domainToASCII(domainText)
  const domain = ascii.endsWith(".") ? undefined : hostname(ascii)
  return domain ? found(localPart, domain, ascii) : { kind: "malformed" }
}

function found(localPart: string, domain: Hostname | undefined, domainText: string): MailboxRead {
  const plain = UNQUOTED.test(localPart) && DOT_STRING.test(localPart)
  const sent = plain ? localPart : `"${localPart.replace(/["\\]/g, "\\$&")}"`
  return { kind: "value", value: { localPart, domain, text: `${sent}@${domainText}` } }
}
