/** What leads to a route, from how the file describes friend and listener (docs/configuration.md, "How a route is found"). */
import type { SocketAddress } from "../names/endpoint.ts"
import type { HostPattern } from "../names/hostname.ts"
import { isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { Match } from "../route/route.ts"
import type { FileListener, FileRoute } from "./schema.ts"

type MatchedFriend = {
  readonly name: string
  readonly domains: readonly HostPattern[]
  readonly addresses: readonly IpAddress[]
}
type MatchedListener = Readonly<Pick<FileListener, "protocol" | "friend" | "accept-proxy">> & {
  readonly bind: readonly SocketAddress[]
}

/** An own address and an own port go before every name; where there is one, mail senders need to name nobody. */
export function matchesFor(
  friend: MatchedFriend,
  listener: MatchedListener,
  route: Pick<FileRoute, "mode" | "otherwise">,
): readonly Match[] {
  const own = ownMatches(friend, listener)
  if (friend.domains.length === 0) return own
  return [...own, ...namedMatches(friend.domains, listener, route, own.length > 0)]
}

function ownMatches(friend: MatchedFriend, listener: MatchedListener): Match[] {
  const addresses = friend.addresses.filter((address) => reaches(listener, address))
  const byAddress: Match[] = addresses.length > 0 ? [{ by: "address", addresses }] : []
  const byPort: Match[] = listener.friend === friend.name ? [{ by: "port" }] : []
  return [...byAddress, ...byPort]
}

function namedMatches(
  names: readonly HostPattern[],
  listener: MatchedListener,
  route: Pick<FileRoute, "mode" | "otherwise">,
  hasOwn: boolean,
): Match[] {
  const dedicated = route.mode === "dedicated"
  switch (listener.protocol) {
    case "tls":
      return [{ by: "sni", names }]
    case "http":
      return dedicated ? [] : [{ by: "host", names }]
    case "smtp":
      if (!dedicated) return [{ by: "recipient", domains: names }]
      if (hasOwn) return []
      // The relay is the end for senders that name nobody: it finds the friend by what they write to.
      return [
        { by: "starttls-sni", names },
        ...(route.otherwise === "peer" ? [{ by: "recipient", domains: names } as const] : []),
      ]
    case "imap":
    case "managesieve":
    case "xmpp":
      return dedicated && !hasOwn ? [{ by: "starttls-sni", names }] : []
    case "tcp":
    case "tunnel":
      return []
  }
}

/** Whether connections to `address` arrive at this listener. Behind a load balancer, the balancer decides that. */
export function reaches(listener: Pick<MatchedListener, "bind" | "accept-proxy">, address: IpAddress): boolean {
  const everywhere = everyAddress(address)
  const bound = listener.bind.some((bind) => bind.address === address || bind.address === everywhere)
  return bound || listener["accept-proxy"].length > 0
}

/** The address that, bound to, takes every connection of the same family. */
export function everyAddress(address: IpAddress): string {
  return isIpv6(address) ? "::" : "0.0.0.0"
}
