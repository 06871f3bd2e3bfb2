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
  const seen = new SeenTypes()
  let serverName: Cursor | undefined
  let alpn: Cursor | undefined
  while (block.leftBytes > 0) {
    const type = block.u16()
    const content = type === SERVER_NAME || type === ALPN ? block.block(2) : block.skipBlock(2)
    if (type === undefined || content === undefined) return refuse("HELLO_MALFORMED", "an extension's length is wrong")
    // RFC 8446 §4.2: "There MUST NOT be more than one extension of the same type in a given extension block."
    if (!seen.isNew(type)) return refuse("HELLO_AMBIGUOUS", `extension ${type} twice`)
    if (typeof content === "number") continue
    if (type === SERVER_NAME) serverName = content
    else alpn = content
  }
  return { kind: "value", value: { serverName, alpn } }
}

/** Types below 64, which nearly all are, as bits: a set for every hello would cost more than reading it. */
class SeenTypes {
  #below32 = 0
  #below64 = 0
  #others: Set<number> | undefined

  /** Whether this is the first time it is asked for `type`. */
  isNew(type: number): boolean {
    const bit = 1 << (type & 31)
    if (type < 32) {
      const before = this.#below32
      return (this.#below32 |= bit) !== before
    }
    if (type < 64) {
      const before = this.#below64
      return (this.#below64 |= bit) !== before
    }
    this.#others ??= new Set()
    return this.#others.size !== this.#others.add(type).size
  }
}
