/** What a PROXY header says, and how one is refused: nothing is answered, for who sends one is a proxy. */
import { refused } from "../../bytes/parsed.ts"
import type { Fault, FaultCode } from "../../faults/faults.ts"
import type { SocketAddress } from "../../names/endpoint.ts"

export type ProxyHeader =
  | {
      readonly kind: "proxied"
      readonly remote: SocketAddress
      readonly local: SocketAddress
      readonly tlvs: readonly Tlv[]
    }
  /** The peer speaks for a connection whose ends it cannot tell: UNKNOWN, UNSPEC, and what is not TCP over IP. */
  | { readonly kind: "unknown" }
  /** The peer speaks for itself, as in a health check. */
  | { readonly kind: "local" }

/** A type, and a value whose form is known only for some types (§2.2). */
export type Tlv = { readonly type: number; readonly value: Uint8Array }

export type ProxyRefusal = Fault & { readonly code: Extract<FaultCode, "PROXY_MISSING" | "PROXY_MALFORMED"> }

export function malformed(detail: string) {
  return refuse("PROXY_MALFORMED", detail)
}

export function refuse(code: ProxyRefusal["code"], detail: string) {
  return refused<ProxyRefusal>({ code, detail })
}
