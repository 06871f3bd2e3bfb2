/**
 * What box and relay say to each other, apart from HTTP/2 itself: names, headers and their limits. The whole protocol
 * is written down in docs/tunnel-protocol.md. Pure: header lists in, values out; a peer's headers never make us throw.
 *
 * The box dials, then the HTTP/2 roles are reversed: the relay is the HTTP/2 client, so that it may open streams.
 */
import { endpointText, socketAddress, type SocketAddress } from "../names/endpoint.ts"
import { hostname, type Hostname } from "../names/hostname.ts"

/** ALPN (RFC 7301) of the tunnel; the number is the protocol's version. */
export const TUNNEL_ALPN = "waypost/1"

/** ALPN of the other thing that is done there: a friend looks after his own mail, in HTTP/1.1 (docs/tunnel-protocol.md §9). */
export const QUEUE_ALPN = "waypost-queue/1"

/** Requests that the relay makes of the box before it carries anything. */
export const CLAIM_PATH = "/waypost/1/claim"
export const VERDICTS_PATH = "/waypost/1/verdicts"
/** Request that the relay makes while it carries: dial so many carriers (carrier.ts). */
export const CARRIERS_PATH = "/waypost/1/carriers"
/** And: take this over as a whole (transfer.ts). */
export const TRANSFER_PATH = "/waypost/1/transfer"
/** Request that the relay makes and leaves open: the box answers with what it asks for, line by line (ask.ts). */
export const ASKS_PATH = "/waypost/1/asks"
/** Request that the relay makes when it has changed: how senders come to ports that friends share. */
export const SENDERS_PATH = "/waypost/1/senders"

/** Ours: a service's name in box.yaml and on the wire. */
const SERVICE = /^[a-z0-9][a-z0-9-]{0,62}$/
/** RFC 7301 §3.1: a protocol name has 1 to 255 octets; printable ASCII is all we pass on. */
const ALPN_NAME = /^[\x21-\x2b\x2d-\x7e]{1,255}$/
/** Ours: as many ALPN names as any client offers, with room. */
const ALPN_NAMES_MAX = 16

/** The service that a stream asks for: a name, never an address. What it means is written in the box's own file. */
export type ServiceName = string & { readonly __brand: "ServiceName" }

export function serviceName(text: string): ServiceName | undefined {
  return SERVICE.test(text) ? (text as ServiceName) : undefined // the only cast to ServiceName in the program
}

/** What the relay knows of a connection that it hands to the box. */
export type StreamRequest = {
  readonly service: ServiceName
  readonly remote: SocketAddress
  readonly local: SocketAddress
  readonly serverName: Hostname | undefined
  readonly alpn: readonly string[]
}

export type Headers = Readonly<Record<string, string | readonly string[] | number | undefined>>

export function streamHeaders(request: StreamRequest): Record<string, string> {
  return {
    ":method": "CONNECT",
    ":authority": request.service,
    "waypost-remote": endpointText(request.remote),
    "waypost-local": endpointText(request.local),
    ...(request.serverName && { "waypost-server-name": request.serverName }),
    ...(request.alpn.length > 0 && { "waypost-alpn": alpnList(request.alpn) }),
  }
}

/** Reads what the relay asks for; `undefined` if it is not what docs/tunnel-protocol.md says. */
export function readStreamRequest(headers: Headers): StreamRequest | undefined {
  const service = serviceName(text(headers[":authority"]))
  const remote = socketAddress(text(headers["waypost-remote"]))
  const local = socketAddress(text(headers["waypost-local"]))
  const alpn = readAlpn(text(headers["waypost-alpn"]))
  const named = text(headers["waypost-server-name"])
  const serverName = hostname(named)
  if (headers[":method"] !== "CONNECT" || !service || !remote || !local || !alpn) return undefined
  return named !== "" && !serverName ? undefined : { service, remote, local, serverName, alpn }
}

function alpnList(names: readonly string[]): string {
  return names
    .filter((name) => ALPN_NAME.test(name))
    .slice(0, ALPN_NAMES_MAX)
    .join(",")
}

function readAlpn(list: string): readonly string[] | undefined {
  const names = list === "" ? [] : list.split(",")
  return names.length <= ALPN_NAMES_MAX && names.every((name) => ALPN_NAME.test(name)) ? names : undefined
}

export function text(header: string | readonly string[] | number | undefined): string {
  return typeof header === "string" ? header : ""
}

/** Why the box ended a stream at once, as the `:status` of its answer (RFC 9110 §15). */
export const STATUS = {
  open: 200,
  done: 204,
  malformed: 400,
  noSuchService: 404,
  promiseBroken: 409,
  serviceDown: 502,
} as const
