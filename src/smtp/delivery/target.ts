/** Where a recipient's mail goes next: along the friend's route, or, for our own notices alone, by MX. */
import { endpointText, type Endpoint } from "../../names/endpoint.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import { nextHopTlsText, routeName, type FriendName, type NextHopTls, type Route } from "../../route/route.ts"
import { failed, type Answer } from "./answer.ts"

/**
 * In whose name the relay keeps notices that it wrote itself. No friend can have this name: it is none that a
 * configuration may give. So notices have a share of the spool of their own, and a friend's full share never eats one.
 */
export const OWN_MAIL: FriendName = "(relay)"

/** The same for reports on TLS, which what they report must not hold up (RFC 8460 §3). */
export const TLS_REPORTS: FriendName = "(tls-reports)"

export function isOwnMail(friend: FriendName): boolean {
  return friend === OWN_MAIL || friend === TLS_REPORTS
}

export type Target =
  | {
      readonly by: "route"
      readonly friend: FriendName
      readonly hops: readonly Hop[]
      readonly tls: NextHopTls
      readonly xclient: boolean
      /** Whose mail it is. Matters where the domain's own policy does (`tls: published`). */
      readonly domain: Hostname
    }
  | { readonly by: "mx"; readonly domain: Hostname; readonly tls: "published" | "opportunistic" }

/** One place to connect to. */
export type Hop = { readonly kind: "tcp"; readonly to: Endpoint; readonly proxy?: "v1" | "v2" } | BoxHop
export type BoxHop = { readonly kind: "box"; readonly friend: FriendName; readonly service: string }

/**
 * The peer mail route for a domain: of this friend, or of any friend if none is named. `undefined`: there is none
 * (any more); the mail waits, because a relay that guesses another way is an open relay.
 */
export type RouteOf = (friend: FriendName | undefined, domain: Hostname) => Route | undefined

/** The way for one recipient of a friend's message or of a notice of ours. */
export function targetOf(friend: FriendName, address: string, routeOf: RouteOf): Target | Answer {
  const domain = domainOf(address)
  const own = isOwnMail(friend)
  const route = domain && routeOf(own ? undefined : friend, domain)
  const along = route && alongRoute(route, domain, own)
  if (along) return friend === TLS_REPORTS ? withoutPublished(along) : along
  const tls = friend === TLS_REPORTS ? "opportunistic" : "published"
  if (own)
    return domain ? { by: "mx", domain, tls } : failed("refused", "DOMAIN_UNKNOWN", "its domain is not a host name")
  return failed("later", "NO_ROUTE", `no mail route of ${friend} leads to that domain`)
}

/** What the operator wrote down himself (`verify`, a pin, `dane-only`) holds for reports too. */
function withoutPublished(target: Target): Target {
  return target.tls === "published" ? { ...target, tls: "opportunistic" } : target
}

export function domainOf(address: string): Hostname | undefined {
  return hostname(address.slice(address.lastIndexOf("@") + 1))
}

/** Equal for everything that shares connections, concurrency and back-off. */
export function targetKey(target: Target): string {
  if (target.by === "mx") return `mx ${target.domain}${target.tls === "published" ? "" : " opportunistic"}`
  const told = target.xclient ? " xclient" : ""
  const about = target.tls === "published" ? ` ${target.domain}` : ""
  return `route ${target.friend}${told}${about} ${nextHopTlsText(target.tls)} ${target.hops.map(hopText).join(" ")}`
}

/** For logs and notices. */
export function hopText(hop: Hop): string {
  return hop.kind === "tcp" ? endpointText(hop.to) : `box ${routeName({ friend: hop.friend, listener: hop.service })}`
}

/** A dedicated route gets here what could not be carried end to end, where its friend allows that (`otherwise: peer`). */
export function alongRoute({ carry, to, friend }: Route, domain: Hostname, own: boolean): Target | undefined {
  const peer = carry.mode === "peer" && carry.as === "mail" ? carry : undefined
  const dedicated = carry.mode === "dedicated" && carry.otherwise === "peer" ? carry : undefined
  const carried = peer ?? dedicated
  if (!carried) return undefined
  const header = dedicated?.proxy
  const proxy = header === "v1" || header === "v2" ? { proxy: header } : {}
  const hops: readonly Hop[] =
    to.kind === "tcp"
      ? to.to.map((endpoint) => ({ kind: "tcp", to: endpoint, ...proxy }))
      : [{ kind: "box", friend, service: to.service }]
  // Nobody handed in what is our own: it comes from the relay, and on a connection that was not said to be anybody's.
  return {
    by: "route",
    friend,
    hops,
    tls: peer?.tls ?? "opportunistic",
    xclient: carried.xclient === true && !own,
    domain,
  }
}
