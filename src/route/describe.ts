/** A route in one line, for logs, tables and faults: what leads to it, how it is carried, where it goes. Claims nothing. */
import { endpointText } from "../names/endpoint.ts"
import { patternText, type HostPattern } from "../names/hostname.ts"
import {
  OUTGOING_MAIL,
  routeName,
  type Backend,
  type Carry,
  type Friend,
  type Match,
  type NextHopTls,
  type OutgoingMail,
  type Route,
} from "./route.ts"

/** `alice/https: dedicated by SNI alice.example, *.alice.example → 10.0.0.5:443 with PROXY v2`. */
export function describeRoute(route: Route): string {
  const by = route.matches.map(matchText).join(", or ")
  return `${routeName(route)}: ${modeText(route.carry)} by ${by} → ${backendText(route.to)}${carryText(route.carry)}`
}

/** `alice/outgoing-mail: from own address 203.0.113.7 → mail servers outside, at most 20 at once and 500 in an hour`. */
export function describeOutgoing(
  { name, addresses }: Friend,
  { connectionsMax, connectionsPerHourMax }: OutgoingMail,
): string {
  const limits = `at most ${connectionsMax} at once and ${connectionsPerHourMax} in an hour`
  return `${name}/${OUTGOING_MAIL}: from own address ${addresses.join(", ")} → mail servers outside, ${limits}`
}

/** `dedicated`, `peer mail` or `peer web`. */
export function modeText(carry: Carry): string {
  return carry.mode === "dedicated" ? "dedicated" : `peer ${carry.as}`
}

/** `the box's tunnel (https)` or `10.0.0.5:443, then 10.0.0.6:443`. */
export function backendText(backend: Backend): string {
  return backend.kind === "box" ? `the box's tunnel (${backend.service})` : backend.to.map(endpointText).join(", then ")
}

function matchText(match: Match): string {
  switch (match.by) {
    case "address":
      return `own address ${match.addresses.join(", ")}`
    case "port":
      return "own port"
    case "sni":
      return `SNI ${names(match.names)}`
    case "starttls-sni":
      return `SNI after STARTTLS ${names(match.names)}`
    case "host":
      return `Host ${names(match.names)}`
    case "recipient":
      return `recipients at ${names(match.domains)}`
  }
}

function names(patterns: readonly HostPattern[]): string {
  return patterns.map(patternText).join(", ")
}

/** Nothing for what needs no key and no DNS: opportunistic TLS. */
function tlsText(tls: NextHopTls): string {
  if (typeof tls !== "string") return " with TLS by a pinned key"
  return tls === "opportunistic" ? "" : ` with TLS: ${tls}`
}

function carryText(carry: Carry): string {
  if (carry.mode === "peer" && carry.as === "mail")
    return tlsText(carry.tls) + (carry.xclient ? " with XCLIENT" : "") + (carry.seal ? " with a sealed spool" : "")
  if (carry.mode === "peer") return carry.cache ? " with a shared cache" : ""
  if (carry.engine === "kernel") return " by the kernel"
  if (carry.proxy === "xclient") return " with XCLIENT"
  const header = carry.proxy === "none" ? "" : ` with PROXY ${carry.proxy}`
  return carry.xclient ? `${header} with XCLIENT where the relay is the end` : header
}
