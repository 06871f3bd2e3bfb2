/** Who a visitor is and where it meant to arrive, also behind a proxy that the listener trusts. */
import { value, type Parsed } from "../bytes/parsed.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import { contains, type Cidr, type IpAddress } from "../names/ip-address.ts"
import type { ProxyRefusal } from "../net/proxy-header/header.ts"
import { readProxyHeader } from "../net/proxy-header/proxy-header.ts"
import type { Arrival } from "../net/engine.ts"
import { unreachable } from "../faults/unreachable.ts"

export type TrueEnds = {
  readonly remote: SocketAddress
  /** What decides over own addresses: behind a proxy, the address that the visitor connected to there. */
  readonly local: SocketAddress
  /** Whom the connection is counted against; `undefined`: nobody is known but the trusted proxy. */
  readonly source: IpAddress | undefined
}

/**
 * The ends as the kernel tells them; or, from a trusted peer, as the PROXY header tells them, which is then required and
 * consumed. From anybody else a header is never looked at: it is part of what they say.
 */
export function trueEnds(arrival: Arrival, trusted: readonly Cidr[]): Parsed<TrueEnds, ProxyRefusal> {
  const { remote, local } = arrival
  if (!trusted.some((range) => contains(range, remote.address))) {
    return value({ remote, local, source: remote.address }, 0)
  }
  const read = readProxyHeader(arrival.received)
  if (read.kind !== "value") return read
  const header = read.value
  switch (header.kind) {
    case "proxied":
      return value({ ...header, source: header.remote.address }, read.consumedBytes)
    // §2.2: the receiver "must accept this connection as valid and must use the real connection endpoints". So a proxy
    // that speaks for itself, or does not know for whom, reaches what its own connection reaches, and no own address.
    case "local":
    case "unknown":
      return value({ remote, local, source: undefined }, read.consumedBytes)
    default:
      return unreachable(header)
  }
}
