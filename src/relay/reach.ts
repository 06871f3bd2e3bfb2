/** Reaches where a route leads, for whoever is itself the other end: the web proxy, the mail delivery, the prelude. */
import type { Duplex } from "node:stream"
import { fault, FaultError } from "../faults/faults.ts"
import { socketAddress, type SocketAddress } from "../names/endpoint.ts"
import { dial } from "../net/dial.ts"
import { type FriendName, type Route } from "../route/route.ts"
import type { ClientHello } from "../sni/client-hello.ts"
import type { ReachBox } from "../smtp/delivery/dial.ts"
import { serviceName, type StreamRequest } from "../tunnel/wire.ts"
import type { Attached } from "./attached.ts"

/** Whose connection it is, as the box's service may be told. */
export type Caller = {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly hello: ClientHello | undefined
}

export type Reach = {
  /**
   * The first of the route's endpoints that accepts (each has an equal share of the deadline), or a stream to the
   * friend's box. Rejects with a FaultError: BACKEND_UNKNOWN, BACKEND_REFUSES, BACKEND_SILENT or BOX_AWAY.
   */
  route(route: Route, deadlineMs: number, caller: Caller): Promise<Duplex>
  /** A stream to one service of a friend's box. Rejects with BOX_AWAY. */
  box(friend: FriendName, service: string, caller: Caller): Promise<Duplex>
  /** Where mail for a friend's box is handed over as a whole. Rejects with BOX_AWAY, or BACKEND_REFUSES when the service is down. */
  readonly mail: ReachBox
}

export function reacher(attached: Attached): Reach {
  const box: Reach["box"] = async (friend, service, caller) => {
    await attached.awaited(friend)
    const stream = openService(attached, friend, service, caller)
    if (!stream) throw new FaultError(fault("BOX_AWAY", `the box of ${friend} is not attached`))
    return withSocketManners(stream)
  }
  const mail: ReachBox = async ({ friend, service }) => {
    await attached.awaited(friend)
    const [tunnel, name] = [attached.box(friend), serviceName(service)]
    if (!tunnel) throw new FaultError(fault("BOX_AWAY", `the box of ${friend} is not attached`))
    if (!name || !(await tunnel.takesTransfers(name))) return undefined
    return (mail) => tunnel.handOver({ service: name, ...mail })
  }
  return {
    box,
    mail,
    route: (route, deadlineMs, caller) => {
      if (route.to.kind === "box") return box(route.friend, route.to.service, caller)
      const [first, ...more] = route.to.to
      const shareMs = deadlineMs / route.to.to.length
      return more.reduce((attempt, to) => attempt.catch(() => dial(to, shareMs)), dial(first, shareMs))
    },
  }
}

/** A stream to a service; `undefined` while the box is away. */
export function openService(
  attached: Attached,
  friend: FriendName,
  service: string,
  caller: Caller,
): Duplex | undefined {
  const request = requestFor(service, caller)
  return request && attached.open(friend, request)
}

/** As `openService`, for what is TLS end to end: on a carrier, where one can be had. */
export async function openSealed(
  attached: Attached,
  friend: FriendName,
  service: string,
  caller: Caller,
): Promise<Duplex | undefined> {
  const request = requestFor(service, caller)
  return request && ((await attached.takeCarrier(friend, request)) ?? attached.open(friend, request))
}

function requestFor(service: string, { remote, local, hello }: Caller): StreamRequest | undefined {
  const name = serviceName(service)
  return name && { service: name, remote, local, serverName: hello?.serverName, alpn: hello?.alpn ?? [] }
}

/** Node's HTTP client and nodemailer tune what they are given as if it were a socket; a stream has nothing to tune. */
function withSocketManners(stream: Duplex): Duplex {
  const same = () => stream
  return Object.assign(stream, { setNoDelay: same, setKeepAlive: same, ref: same, unref: same })
}

/** Connections that the relay makes for itself: it is the client, whoever it does it for. */
export const FROM_THE_RELAY: Caller = { remote: loopback(), local: loopback(), hello: undefined }

function loopback(): SocketAddress {
  const address = socketAddress("127.0.0.1:1")
  if (!address) throw new Error("127.0.0.1:1 is an address")
  return address
}
