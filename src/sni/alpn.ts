/** The application protocols that a ClientHello offers (RFC 7301 §3.1). */
import type { Cursor } from "../bytes/cursor.ts"
import type { ParsedWhole } from "../bytes/parsed.ts"
import { refuse, type HelloRefusal } from "./refusal.ts"

export function readAlpn(extension: Cursor | undefined): ParsedWhole<readonly string[], HelloRefusal> {
  if (!extension) return { kind: "value", value: [] }
  const list = extension.block(2)
  if (!list || list.leftBytes === 0 || extension.leftBytes > 0) return malformed()
  const protocols: string[] = []
  while (list.leftBytes > 0) {
    const protocol = list.block(1)
    if (!protocol || protocol.leftBytes === 0) return malformed()
    protocols.push(protocol.restText())
  }
  return { kind: "value", value: protocols }
}

function malformed() {
  return refuse("HELLO_MALFORMED", "the protocol list's lengths are wrong")
}
