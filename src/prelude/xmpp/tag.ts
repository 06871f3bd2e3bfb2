/**
 * XML tags, as far as an XMPP stream before TLS needs them (RFC 6120 §4.2, §5): start tags, end tags and the XML
 * declaration. Comments, processing instructions and document types are forbidden there (§11.1) and refused.
 */
import { NEED_MORE, refused, value, type Parsed } from "../../bytes/parsed.ts"
import type { FaultCode } from "../../faults/faults.ts"

export type Tag = {
  /** With its prefix, as written: `stream:stream`. */
  readonly name: string
  /** `empty` is start and end in one. */
  readonly kind: "start" | "end" | "empty" | "declaration"
  readonly attributes: ReadonlyMap<string, string>
}

/** Ours: a stream header with its namespaces takes about 300 bytes. */
const TAG_BYTES_MAX = 1024

const NAME = "[A-Za-z_][\\w:.-]*"
const SPACE = "[ \\t\\r\\n]"
const ATTRIBUTE = `${SPACE}+(${NAME})${SPACE}*=${SPACE}*(?:"([^"<&]*)"|'([^'<&]*)')`
const INSIDE = `(?<name>${NAME})(?<attributes>(?:${ATTRIBUTE})*)${SPACE}*`
const ATTRIBUTES = new RegExp(ATTRIBUTE, "g")
const TAG = new RegExp(`^<(?<opening>[?/]?)${INSIDE}(?<closing>[?/]?)>$`)

/** The next tag. White space before it is passed over, and other text too where `text` says so. */
export function readTag(received: Uint8Array, text: "refuse text" | "skip text"): Parsed<Tag, FaultCode> {
  const seen = Buffer.from(received.subarray(0, TAG_BYTES_MAX)).toString("latin1")
  const beginsAt = seen.search(text === "skip text" ? /</ : /[^ \t\r\n]/)
  if (beginsAt >= 0 && seen[beginsAt] !== "<") return refused("COMMAND_MALFORMED")
  const tag = beginsAt < 0 ? undefined : wholeTag(seen.slice(beginsAt))
  if (tag === undefined) return seen.length === TAG_BYTES_MAX ? refused("COMMAND_MALFORMED") : NEED_MORE
  const parsed = parse(tag)
  return parsed ? value(parsed, beginsAt + tag.length) : refused("COMMAND_MALFORMED")
}

/** Up to the first ">" outside quotation marks, or to a "<" there, which makes it no tag. */
function wholeTag(text: string): string | undefined {
  return /^<(?:[^<>"']|"[^"]*"|'[^']*')*[<>]/.exec(text)?.[0]
}

function parse(text: string): Tag | undefined {
  const { name, opening = "", closing = "", attributes: attributeText = "" } = TAG.exec(text)?.groups ?? {}
  const kind = KINDS.get(`${opening} ${closing}`)
  if (name === undefined || kind === undefined || (kind === "declaration") !== (name === "xml")) return undefined
  const attributes = [...attributeText.matchAll(ATTRIBUTES)].map(
    ([, key = "", double, single]) => [key, double ?? single ?? ""] as const,
  )
  const byName = new Map(attributes)
  // XML 1.0 §3.1: no attribute twice, or two readers could each believe another one.
  return byName.size === attributes.length ? { name, kind, attributes: byName } : undefined
}

/** By what stands behind "<" and what before ">". */
const KINDS: ReadonlyMap<string, Tag["kind"]> = new Map([
  [" ", "start"],
  ["/ ", "end"],
  [" /", "empty"],
  ["? ?", "declaration"],
])
