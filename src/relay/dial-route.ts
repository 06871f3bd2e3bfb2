/** Connects to where a route leads, for whoever is itself the other end: the web proxy, the mail delivery. */
import type { Socket } from "node:net"
import { fault, FaultError } from "../faults/faults.ts"
import { dial } from "../net/dial.ts"
import { routeName, type Route } from "../route/route.ts"

/**
 * The first of the route's endpoints that accepts; each has an equal share of the deadline. Rejects with the last one's
 * FaultError: BACKEND_UNKNOWN, BACKEND_REFUSES or BACKEND_SILENT.
 */
export async function dialRoute(route: Route, deadlineMs: number): Promise<Socket> {
  if (route.to.kind === "box")
    throw new FaultError(fault("BACKEND_REFUSES", `${routeName(route)}: its box is not attached`))
  const [first, ...more] = route.to.to
  const shareMs = deadlineMs / route.to.to.length
  return more.reduce((attempt, to) => attempt.catch(() => dial(to, shareMs)), dial(first, shareMs))
}
