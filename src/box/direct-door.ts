/**
 * Where visitors arrive who need no relay: a port of the box's own machine that leads to one service. Who comes is told to
 * the service as for a visitor through a relay, and remembered for a while, so that a relay's visit can be known again.
 */
import type { BoxService } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type SocketAddress } from "../names/endpoint.ts"
import { Admission } from "../net/admission.ts"
import type { Arrival, Decision, Engine } from "../net/engine.ts"
import { connectHome } from "./services.ts"

/** Ours: a home's line carries no more visitors than this, and one source needs no more than a browser opens, many times over. */
const LIMITS = { connectionsMax: 1_000, connectionsPerSourceMax: 100, connectionsPerFriendMax: 1_000 } as const
/** Ours: silence in both directions for this long ends a connection, as at a relay. */
const IDLE_DEADLINE_MS = 10 * 60_000
/** Ours: whoever came is decided about at once; the engine wants a bound. */
const DECIDE_DEADLINE_MS = 5_000
/** Ours: more visitors than come while a relay says that it was here. */
const REMEMBERED_MAX = 256

export type DirectDoor = {
  readonly bound: SocketAddress
  /** Whether a connection from this end was accepted here lately. */
  cameFrom(end: SocketAddress): boolean
  stop(): Promise<void>
}

export type DoorParts = {
  readonly name: string
  readonly service: BoxService
  readonly engine: Pick<Engine, "listen" | "splice">
  readonly log: Log
}

/** At `wished`, or at any other port of that address where it is taken: a router can lead there too. */
export async function openDirectDoor(wished: SocketAddress, parts: DoorParts): Promise<DirectDoor> {
  const { name, engine } = parts
  const admission = new Admission(() => LIMITS)
  const came: string[] = []
  const decide = ({ remote, local }: Arrival): Decision => {
    came.push(endpointText(remote))
    if (came.length > REMEMBERED_MAX) came.shift()
    const ticket = admission.admit(remote.address, name)
    if (typeof ticket === "string") return { do: "reset", why: ticket }
    const adopted = (socket: Parameters<Engine["splice"]>[0]) =>
      void carryHome(socket, { remote, local }, parts).finally(() => ticket.release())
    return { do: "adopt", skipBytes: 0, adopted }
  }
  const listen = (bind: SocketAddress) =>
    engine.listen(
      { name: `direct ${name}`, bind, ask: "accept", decideDeadlineMs: DECIDE_DEADLINE_MS, ended: () => {} },
      decide,
    )
  const listener = await listen(wished).catch(() => listen({ ...wished, port: 0 }))
  return {
    bound: listener.bound,
    cameFrom: (end) => came.includes(endpointText(end)),
    stop: () => listener.stop(),
  }
}

async function carryHome(
  visitor: Parameters<Engine["splice"]>[0],
  ends: { readonly remote: SocketAddress; readonly local: SocketAddress },
  { name, service, engine, log }: DoorParts,
): Promise<void> {
  visitor.on("error", () => {}) // whoever leaves while the service is dialled
  try {
    const home = await connectHome(service, { ...ends, serverName: undefined, alpn: [] })
    const { how, leftToRightBytes, rightToLeftBytes } = await engine.splice(visitor, home, {
      idleDeadlineMs: IDLE_DEADLINE_MS,
    })
    log.info("served", { service: name, over: "direct", how, bytesIn: leftToRightBytes, bytesOut: rightToLeftBytes })
  } catch (error) {
    visitor.destroy()
    log.warn("service down", { service: name, why: error instanceof Error ? error.message : String(error) })
  }
}
