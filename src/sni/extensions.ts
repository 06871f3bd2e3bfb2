/** The extensions of a ClientHello (RFC 8446 §4.2): all are walked, two are looked into, none may come twice. */
import type { Cursor } from "../bytes/cursor.ts"
import type { ParsedWhole } from "../bytes/parsed.ts"
import { refuse, type HelloRefusal } from "./refusal.ts"

/** What the two extensions that bear on the route contain; `undefined` where the hello has no such extension. */
export type Extensions = { readonly serverName: Cursor | undefined; readonly alpn: Cursor | undefined }

/** IANA, TLS ExtensionType Values. */
const SERVER_NAME = 0
const ALPN = 16

export function readExtensions(block: Cursor): ParsedWhole<Extensions, HelloRefusal> {
  const seen = new Set<number>()
  let serverName: Cursor | undefined
  let alpn: Cursor | undefined
  while (block.leftBytes > 0) {
    const type = block.u16()
    const content = block.block(2)
    if (type === undefined || !content) return refuse("HELLO_MALFORMED", "an extension's length is wrong")
    // RFC 8446 §4.2: "There MUST NOT be more than one extension of the same type in a given extension block."
    if (seen.has(type)) return refuse("HELLO_AMBIGUOUS", `extension ${type} twice`)
    seen.add(type)
    if (type === SERVER_NAME) serverName = content
    if (type === ALPN) alpn = content
  }
  return { kind: "value", value: { serverName, alpn } }
}
