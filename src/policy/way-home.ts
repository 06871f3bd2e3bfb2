/** What an observer between the relay and where a route leads can see: not the operator, but whoever is on that wire. */
import { unreachable } from "../faults/unreachable.ts"
import { endsTlsAtTheBox, type Route } from "../route/route.ts"

export type WayHome =
  | "as-without-a-relay" // TLS end to end, beside the tunnel or straight to a backend
  | "inside-the-tunnel"
  | "as-the-visitor-sent-it" // whatever protection the friend's own protocol has
  | "own-tls" // the relay insists on TLS towards the next hop
  | "own-tls-if-offered" // RFC 3207: taken where it is there
  | "in-the-clear"

export function wayHome(route: Pick<Route, "protocol" | "carry" | "to">): WayHome {
  const { carry, to } = route
  if (endsTlsAtTheBox(route)) return "as-without-a-relay"
  if (to.kind === "box") return "inside-the-tunnel"
  if (carry.mode === "dedicated") return "as-the-visitor-sent-it"
  switch (carry.as) {
    case "web":
      return "in-the-clear"
    case "mail":
      return carry.tls === "opportunistic" ? "own-tls-if-offered" : "own-tls"
    default:
      return unreachable(carry)
  }
}
