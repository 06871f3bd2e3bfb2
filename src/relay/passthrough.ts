/**
 * Decides, for every connection that arrives, whose it is and what becomes of it. Dedicated routes to an address are left
 * to the engine, bytes unchanged; everything that the relay takes part in is handed over as a socket. Nothing here can
 * decrypt, and no connection is ever given to somebody whom it did not ask for.
 */
import type { Socket } from "node:net"
import type { Config, Listener } from "../config/config.ts"
import type { FaultCode } from "../faults/faults.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import type { Admission, Ticket } from "../net/admission.ts"
import type { Arrival, Decide, Decision, Ended, EndedHow } from "../net/engine.ts"
import type { Meter } from "../net/meter.ts"
import { writeProxyHeader } from "../net/proxy-header/write.ts"
import type { Resolved } from "../net/resolved.ts"
import {
  routeName,
  type FriendName,
  type ListenerName,
  type Protocol,
  type Route,
  type ToldBy,
} from "../route/route.ts"
import type { RouteTable } from "../route/table.ts"
import { readClientHello, type ClientHello } from "../sni/client-hello.ts"
import { beginsAsCarrier } from "../tunnel/carrier.ts"
import { QUEUE_ALPN, TUNNEL_ALPN } from "../tunnel/wire.ts"
import type { Attached } from "./attached.ts"
import { lastWords } from "./last-words.ts"
import { trueEnds, type TrueEnds } from "./true-ends.ts"

export type PassthroughOptions = {
  /** What decisions are made by at this moment. */
  readonly ground: () => Ground
  readonly admission: Admission
  readonly resolved: Pick<Resolved, "addressesOf">
  /** What counts a friend's connections, and may hold them back. */
  readonly meterOf: (friend: FriendName) => Meter | undefined
  /** Takes what the relay is itself an end of, what goes to a box's tunnel, and the tunnels of boxes. */
  readonly handOver: (socket: Socket, connection: HandedOver) => void
  /** The greeting of a carrier that a box has dialled (src/tunnel/carrier.ts). */
  readonly greeted: Attached["greeted"]
  readonly log: Log
}

/** Replaced whole when the configuration is. */
export type Ground = {
  readonly config: Pick<Config, "limits" | "relay">
  readonly table: RouteTable
  listener(name: ListenerName): Listener | undefined
}

/** What is known of a connection that is handed over. Its first byte is the visitor's: a PROXY header is taken off. */
export type HandedOver = {
  readonly listener: ListenerName
  readonly protocol: Protocol
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** `undefined` where the protocol itself will say whose it is: a Host, a recipient, a name after STARTTLS. */
  readonly route: Route | undefined
  /** Where the route was found by it; still to be read from the socket. */
  readonly hello: ClientHello | undefined
  /** Counts it as a friend's too, once the protocol has said whose it is; or says why the friend has no room for it. */
  readonly belongsTo: (friend: FriendName) => FaultCode | undefined
}

export type Passthrough = {
  /** When a listener of this protocol is asked: at once where the server may speak first. */
  readonly ask: (protocol: Protocol) => "accept" | "bytes"
  readonly decideFor: (listener: ListenerName) => Decide
  /** To be told of every report of the engine. */
  readonly ended: (report: Ended) => void
}

export function passthrough(options: PassthroughOptions): Passthrough {
  return {
    ask: (protocol) => (protocol === "tls" || protocol === "tunnel" ? "bytes" : "accept"),
    decideFor: (name) => (arrival) => decide(arrival, name, options),
    ended: (report) => ended(report, options.log),
  }
}

/** A connection whose true ends are known. `protocol`: where it is not the listener's. */
type Caller = TrueEnds & { readonly listener: Listener; readonly headerBytes: number; readonly protocol?: Protocol }

type Found =
  | { readonly kind: "need-more" }
  | { readonly kind: "route"; readonly route: Route; readonly hello?: ClientHello }
  | { readonly kind: "shared" } // the protocol will say
  | { readonly kind: "tunnel" } // a box that attaches
  | { readonly kind: "carrier"; readonly take: (carrier: Socket) => void; readonly greetingBytes: number }
  | { readonly kind: "refused"; readonly code: FaultCode; readonly detail: string }

function decide(arrival: Arrival, name: ListenerName, options: PassthroughOptions): Decision {
  const ground = options.ground()
  const listener = ground.listener(name)
  if (!listener) return { do: "reset", why: `the listener ${name} is no longer configured` }
  const ends = trueEnds(arrival, listener.acceptProxy)
  if (ends.kind === "need-more") return WAIT
  if (ends.kind === "refused") {
    const caller = { ...arrival, source: undefined, listener, headerBytes: 0 }
    return refuse(caller, ends.why.code, ends.why.detail, options.log)
  }
  const { remote, local, source } = ends.value
  const caller = { remote, local, source, listener, headerBytes: ends.consumedBytes }
  const said = ends.consumedBytes === 0 ? arrival.received : arrival.received.subarray(ends.consumedBytes)
  const found = find(caller, said, ground, options.greeted)
  switch (found.kind) {
    case "need-more":
      return WAIT
    case "refused":
      return refuse(caller, found.code, found.detail, options.log)
    case "shared":
      return handOver(caller, undefined, undefined, options)
    case "tunnel":
      return handOver({ ...caller, protocol: "tunnel" }, undefined, undefined, options)
    case "carrier": // bounded by its box's pool, and no visitor: it takes nobody's place in the limits
      return { do: "adopt", skipBytes: caller.headerBytes + found.greetingBytes, adopted: found.take }
    case "route":
      return leadAlong(found.route, caller, found.hello, options)
    default:
      return unreachable(found)
  }
}

const WAIT = { do: "wait" } as const

/** The friend's own address or port first, then what the visitor asks for by name. */
function find(
  { listener, local }: Caller,
  received: Uint8Array,
  { table, config }: Ground,
  greeted: Attached["greeted"],
): Found {
  const own = table.atAccept(listener.name, local.address)
  if (own) return { kind: "route", route: own }
  switch (listener.protocol) {
    case "tls":
      return findCarrier(received, greeted) ?? findByName(listener, received, table, config.relay.name)
    case "tunnel":
      return findCarrier(received, greeted) ?? { kind: "tunnel" }
    case "smtp":
    case "imap":
    case "managesieve":
    case "xmpp":
    case "http":
      return { kind: "shared" }
    case "tcp":
      return { kind: "refused", code: "NO_ROUTE", detail: `nobody has ${local.address}` }
    default:
      return unreachable(listener.protocol)
  }
}

/** A connection that a box has dialled ahead; `undefined` for everybody else. */
function findCarrier(received: Uint8Array, greeted: Attached["greeted"]): Found | undefined {
  if (!beginsAsCarrier(received)) return undefined
  const read = greeted(received)
  if (read.kind === "need-more") return read
  if (read.kind === "refused") return { kind: "refused", code: "CARRIER_UNKNOWN", detail: read.why }
  return { kind: "carrier", take: read.value, greetingBytes: read.consumedBytes }
}

/** What is said by boxes, and by friends who come about their mail. */
const FROM_FRIENDS = [TUNNEL_ALPN, QUEUE_ALPN]

function findByName(listener: Listener, received: Uint8Array, table: RouteTable, relay: Hostname): Found {
  const read = readClientHello(received)
  if (read.kind === "need-more") return read
  if (read.kind === "refused") return { kind: "refused", ...read.why }
  const hello = read.value
  const { serverName } = hello
  // A box that gets out on this port alone attaches beside the visitors; a friend's name stays the friend's.
  if (FROM_FRIENDS.some((name) => hello.alpn.includes(name)) && (serverName ?? relay) === relay)
    return { kind: "tunnel" }
  const route = (serverName && table.bySni(listener.name, serverName)) ?? defaultRoute(listener, table)
  if (route) return { kind: "route", route, hello }
  return { kind: "refused", code: serverName ? "NAME_UNKNOWN" : "NAME_MISSING", detail: serverName ?? "no name" }
}

/** Only where the operator has said who gets what names nobody. */
function defaultRoute(listener: Listener, table: RouteTable): Route | undefined {
  if (listener.default === undefined) return undefined
  return table.routes.find((route) => route.listener === listener.name && route.friend === listener.default)
}

function leadAlong(
  route: Route,
  caller: Caller,
  hello: ClientHello | undefined,
  options: PassthroughOptions,
): Decision {
  if (route.carry.mode === "peer" || route.to.kind === "box") return handOver(caller, route, hello, options)
  const [first, ...more] = addressesOf(route.to.to, options.resolved)
  if (!first) return refuse(caller, "BACKEND_UNKNOWN", route.to.to.map(endpointText).join(", "), options.log)
  const ticket = options.admission.admit(caller.source, route.friend)
  if (typeof ticket === "string") return refuse(caller, ticket, routeName(route), options.log)
  const { connectDeadlineMs, idleDeadlineMs } = options.ground().config.limits
  return {
    do: "carry",
    to: [first, ...more],
    prefix: proxyOut(route.carry.proxy, caller, hello),
    skipBytes: caller.headerBytes,
    connectDeadlineMs,
    idleDeadlineMs,
    onConnectFailure: CONNECT_FAILURE[caller.listener.protocol],
    tag: new Carried(route, caller, ticket),
    meter: options.meterOf(route.friend),
  }
}

function addressesOf(
  endpoints: readonly [Endpoint, ...Endpoint[]],
  resolved: Pick<Resolved, "addressesOf">,
): readonly SocketAddress[] {
  const [first] = endpoints
  if (endpoints.length === 1) return resolved.addressesOf(first)
  return endpoints.flatMap((endpoint) => resolved.addressesOf(endpoint))
}

/** Ready before it is needed, which is for every connection. */
const CONNECT_FAILURE: Readonly<Record<Protocol, Uint8Array>> = {
  smtp: lastWords("smtp", "BACKEND_REFUSES"),
  imap: lastWords("imap", "BACKEND_REFUSES"),
  managesieve: lastWords("managesieve", "BACKEND_REFUSES"),
  xmpp: lastWords("xmpp", "BACKEND_REFUSES"),
  tls: lastWords("tls", "BACKEND_REFUSES"),
  http: lastWords("http", "BACKEND_REFUSES"),
  tcp: lastWords("tcp", "BACKEND_REFUSES"),
  tunnel: lastWords("tunnel", "BACKEND_REFUSES"),
}

/** The relay takes part: as an end, or because only it can open a stream on a box's tunnel. */
function handOver(
  caller: Caller,
  route: Route | undefined,
  hello: ClientHello | undefined,
  { admission, handOver: take, log }: PassthroughOptions,
): Decision {
  const { listener, remote, local, source, headerBytes, protocol = listener.protocol } = caller
  const refusal = admission.refusal(source, route?.friend)
  if (refusal) return refuse(caller, refusal, route ? routeName(route) : listener.name, log)
  const connection = { listener: listener.name, protocol, remote, local, route, hello }
  const adopted = (socket: Socket): void => {
    const ticket = admission.admit(source, route?.friend)
    if (typeof ticket === "string") return void socket.destroy() // the last place was given away in between
    socket.once("close", () => ticket.release())
    take(socket, { ...connection, belongsTo: (friend) => ticket.assign(friend) })
  }
  return { do: "adopt", skipBytes: headerBytes, adopted }
}

function refuse({ listener, remote }: Caller, code: FaultCode, detail: string, log: Log): Decision {
  log.info("refused", { listener: listener.name, remote: endpointText(remote), code, detail })
  const bytes = lastWords(listener.protocol, code)
  return bytes.length > 0 ? { do: "answer", bytes, why: code } : { do: "reset", why: code }
}

function proxyOut(version: ToldBy, { remote, local }: Caller, hello: ClientHello | undefined): Uint8Array {
  if (version === "none" || version === "xclient") return NOTHING // which the configuration has only where SMTP is spoken
  // Which of several offers the ends will agree on is theirs to say; of a single one it is certain.
  const alpn = hello?.alpn.length === 1 ? hello.alpn[0] : undefined
  return writeProxyHeader(version, { remote, local, serverName: hello?.serverName, alpn })
}

const NOTHING = new Uint8Array(0)

/** What a carried connection's report is read by. */
class Carried {
  readonly route: Route
  readonly remote: SocketAddress
  readonly ticket: Ticket

  constructor(route: Route, { remote }: Caller, ticket: Ticket) {
    this.route = route
    this.remote = remote
    this.ticket = ticket
  }
}

function ended(report: Ended, log: Log): void {
  const { tag, how, listener, bytesToBackend, bytesToVisitor } = report
  const code = FAULTS[how]
  if (!(tag instanceof Carried)) {
    if (code) log.info("left", { listener, remote: endpointText(report.remote), code })
    return
  }
  tag.ticket.release()
  const durationMs = Math.round(report.durationMs)
  const [route, remote] = [routeName(tag.route), endpointText(tag.remote)]
  log.info("carried", { route, remote, bytesToBackend, bytesToVisitor, durationMs, how, code })
}

/** The endings that are somebody's move. */
const FAULTS: Partial<Readonly<Record<EndedHow, FaultCode>>> = {
  "connect-failed": "BACKEND_REFUSES",
  "connect-timeout": "BACKEND_SILENT",
  idle: "IDLE_TOO_LONG",
  undecided: "HELLO_LATE",
}
