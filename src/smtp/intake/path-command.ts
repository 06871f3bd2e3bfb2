/** Reads MAIL and RCPT with their parameters (RFC 5321 §4.1.1.2, §4.1.1.3). An unknown parameter is refused, never ignored. */
import { fault, type Fault, type FaultCode } from "../../faults/faults.ts"
import type { Notify } from "../../store/spool.ts"
import { needsUtf8, readMailbox, type Mailbox } from "./mailbox.ts"

export type Read<Value> =
  { readonly kind: "value"; readonly value: Value } | { readonly kind: "refused"; readonly why: Fault }

export type MailCommand = {
  /** `undefined`: the null sender of RFC 5321 §4.5.5. */
  readonly sender: Mailbox | undefined
  /** What the client says the message will have (RFC 1870); a promise, not a fact. */
  readonly sizeBytes: number | undefined
  readonly body: "7bit" | "8bitmime"
  readonly smtputf8: boolean
  /** RFC 8689: over TLS with whom one knows, all the way, or not at all. */
  readonly requireTls: boolean
  readonly ret: "FULL" | "HDRS" | undefined
  readonly envid: string | undefined
}

export type RcptCommand = {
  /** `"postmaster"`: the bare name without a domain (RFC 5321 §4.1.1.3). */
  readonly recipient: Mailbox | "postmaster"
  readonly notify: readonly Notify[] | undefined
  readonly orcpt: string | undefined
}

/** RFC 3461 §4.4. */
const ENVID_CHARS_MAX = 100
/** RFC 3461 §4.2. */
const ORCPT_CHARS_MAX = 500

/** `offersRequireTls`: whether EHLO said so; only then the parameter is known. */
export function readMail(line: string, offersRequireTls = false): Read<MailCommand> {
  const command = split("MAIL FROM", line)
  if (!command) return no("SENDER_MALFORMED", line)
  const known = offersRequireTls ? { ...MAIL_PARAMETERS, REQUIRETLS: undefined } : MAIL_PARAMETERS
  const parameters = readParameters(command.parameters, known)
  if (parameters.kind === "refused") return parameters
  const given = parameters.value
  const smtputf8 = given.has("SMTPUTF8")
  const sender = command.path === "" ? undefined : readMailbox(command.path)
  if (sender && sender.kind !== "value") return no("SENDER_MALFORMED", command.path)
  if (!smtputf8 && needsUtf8(command.path)) return no("NEEDS_SMTPUTF8", command.path)
  const size = given.get("SIZE")
  return yes({
    sender: sender?.value,
    sizeBytes: size === undefined ? undefined : Number(size),
    body: given.get("BODY")?.toUpperCase() === "8BITMIME" ? "8bitmime" : "7bit",
    smtputf8,
    requireTls: given.has("REQUIRETLS"),
    ret: RETS.find((ret) => ret === given.get("RET")?.toUpperCase()),
    envid: decodeXtext(given.get("ENVID")),
  })
}

/** `smtputf8`: what MAIL said. */
export function readRcpt(line: string, smtputf8: boolean): Read<RcptCommand> {
  const command = split("RCPT TO", line)
  if (!command) return no("ADDRESS_MALFORMED", line)
  const parameters = readParameters(command.parameters, RCPT_PARAMETERS)
  if (parameters.kind === "refused") return parameters
  const recipient = readRecipient(command.path)
  if (recipient.kind === "refused") return recipient
  if (!smtputf8 && needsUtf8(command.path)) return no("NEEDS_SMTPUTF8", command.path)
  const given = parameters.value
  const notify = given.get("NOTIFY")?.toUpperCase().split(",")
  return yes({
    recipient: recipient.value,
    notify: notify && NOTIFIES.filter((one) => notify.includes(one)),
    orcpt: decodeXtext(given.get("ORCPT")),
  })
}

function readRecipient(path: string): Read<RcptCommand["recipient"]> {
  if (path.toLowerCase() === "postmaster") return yes("postmaster")
  const mailbox = readMailbox(path)
  if (mailbox.kind === "routed") return no("ROUTED_ADDRESS", path)
  if (mailbox.kind === "malformed") return no("ADDRESS_MALFORMED", path)
  return yes(mailbox.value)
}

/** `KEYWORD:<path> parameters`. Spaces after the colon are wrong and common. Each alternative begins differently: no backtracking. */
const COMMAND = /^(?<keyword>[A-Z]+ +[A-Z]+): *<(?<path>(?:"(?:[^"\\]|\\.)*"|[^<>"])*)>(?<parameters>(?: +[^ ]+)*) *$/iu

function split(keyword: string, line: string): { path: string; parameters: readonly string[] } | undefined {
  const found = COMMAND.exec(line)?.groups
  if (found?.["keyword"]?.toUpperCase().replace(/ +/, " ") !== keyword) return undefined
  const parameters = (found["parameters"] ?? "").split(" ").filter((word) => word !== "")
  return { path: found["path"] ?? "", parameters }
}

const RETS = ["FULL", "HDRS"] as const
const NOTIFIES = ["NEVER", "SUCCESS", "FAILURE", "DELAY"] as const
/** RFC 3461 §4: printable characters but `+` and `=`, which are written as `+2B` and `+3D`; decoded, no control character. */
const XTEXT = /^(?:[!-*,-<>-~]|\+[2-7][0-9A-F])+$/

/** What a parameter's value must look like; `undefined`: it has none. */
type Syntax = ((value: string) => boolean) | undefined

const MAIL_PARAMETERS: Readonly<Record<string, Syntax>> = {
  SIZE: (value) => /^\d{1,20}$/.test(value), // RFC 1870 §3
  BODY: (value) => /^(?:7BIT|8BITMIME)$/i.test(value), // RFC 6152 §2
  SMTPUTF8: undefined, // RFC 6531 §3.4
  RET: (value) => /^(?:FULL|HDRS)$/i.test(value), // RFC 3461 §4.3
  ENVID: (value) => XTEXT.test(value) && value.length <= ENVID_CHARS_MAX, // RFC 3461 §4.4
}

const RCPT_PARAMETERS: Readonly<Record<string, Syntax>> = {
  NOTIFY: (value) => /^(?:NEVER|(?:SUCCESS|FAILURE|DELAY)(?:,(?:SUCCESS|FAILURE|DELAY))*)$/i.test(value), // RFC 3461 §4.1
  ORCPT: isOrcpt, // RFC 3461 §4.2
}

function isOrcpt(value: string): boolean {
  const [, type, address = ""] = /^([A-Za-z0-9-]+);(.+)$/u.exec(value) ?? []
  if (!type || value.length > ORCPT_CHARS_MAX) return false
  // RFC 6533 §3: an internationalized address may stand as it is, which xtext has no way to say.
  return XTEXT.test(address) || (type.toLowerCase() === "utf-8" && /^[!-~\u{a1}-\u{10ffff}]+$/u.test(address))
}

function readParameters(
  words: readonly string[],
  known: Readonly<Record<string, Syntax>>,
): Read<ReadonlyMap<string, string>> {
  const given = new Map<string, string>()
  for (const word of words) {
    const [, name = "", value] = /^([^=]*)(?:=(.*))?$/u.exec(word) ?? []
    const keyword = name.toUpperCase()
    if (!Object.hasOwn(known, keyword)) return no("PARAMETER_UNKNOWN", word)
    const syntax = known[keyword]
    const fits = syntax ? value !== undefined && syntax(value) : value === undefined
    if (!fits || given.has(keyword)) return no("PARAMETER_MALFORMED", word)
    given.set(keyword, value ?? "")
  }
  return yes(given)
}

function decodeXtext(text: string | undefined): string | undefined {
  return text?.replace(/\+([0-9A-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
}

function yes<Value>(value: Value): Read<Value> {
  return { kind: "value", value }
}

/** What a stranger wrote goes into the log quoted, and never into a reply. */
function no(code: FaultCode, wrote: string): Read<never> {
  return { kind: "refused", why: fault(code, JSON.stringify(wrote)) }
}
