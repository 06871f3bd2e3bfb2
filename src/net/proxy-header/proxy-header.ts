/**
 * The PROXY protocol (haproxy doc/proxy-protocol.txt): who the visitor is, told by whoever stands in front of us. It is
 * read only from peers that the operator trusts, and required from them; guessing whether one is there is forbidden (§2).
 */
import type { Parsed } from "../../bytes/parsed.ts"
import { readV1, V1_SIGNATURE } from "./read-v1.ts"
import { readV2, V2_SIGNATURE } from "./read-v2.ts"
import { refuse, type ProxyHeader, type ProxyRefusal } from "./header.ts"

/** Reads a header of either version from a connection's first bytes; refuses at the first byte that cannot be in one. */
export function readProxyHeader(received: Uint8Array): Parsed<ProxyHeader, ProxyRefusal> {
  if (beginsAs(V1_SIGNATURE, received)) return readV1(received)
  if (beginsAs(V2_SIGNATURE, received)) return readV2(received)
  return refuse("PROXY_MISSING", "the first bytes are no signature")
}

/** Whether what has arrived so far is the signature, or the beginning of it. */
function beginsAs(signature: Uint8Array, received: Uint8Array): boolean {
  return signature.every((byte, index) => index >= received.length || received[index] === byte)
}
