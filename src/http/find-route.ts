/** Finds where a request goes, and makes of it what the backend is to see; or says what is wrong with it. */
import type { IncomingMessage } from "node:http"
import type { FaultCode } from "../faults/faults.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import type { Hostname } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { ListenerName, Route } from "../route/route.ts"
import { framingFault, hasPassed, requestFields } from "./fields.ts"
import { readRequestTarget } from "./request-target.ts"

/** Where a connection came from, which its socket cannot say behind a PROXY header or a tunnel. */
export type Arrived = {
  readonly listener: ListenerName
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** The visitor speaks TLS, and the relay is its end. */
  readonly tls: boolean
}

export type FindOptions = {
  /** Our name in Via (RFC 9110 §7.6.3). */
  readonly name: Hostname
  /** A friend's own address goes before every name, so it is given too. */
  readonly routeFor: (listener: ListenerName, host: Hostname, local: IpAddress) => Route | undefined
}

export type Found<Value> =
  | { readonly kind: "route"; readonly value: Value }
  /** RFC 9110 §9.3.7: it is about the server in general, which is us. */
  | { readonly kind: "server" }
  | Refused

export type Refused = { readonly kind: "refused"; readonly code: FaultCode; readonly detail: string }

/** The request's fields and target are those for the backend afterwards, if there is a route. */
export function findRoute(
  request: IncomingMessage,
  arrived: Arrived,
  { name, routeFor }: FindOptions,
): Found<{ readonly route: Route; readonly target: string }> {
  const refused = faultOf(request, name)
  if (refused) return refused
  const { headers, httpVersion, method = "", url = "" } = request
  const scheme = arrived.tls ? "https" : "http"
  const asked = readRequestTarget({ method, target: url, hosts: hostsOf(request), scheme })
  if (asked.kind !== "resource") return asked
  const route = routeFor(arrived.listener, asked.host, arrived.local.address)
  if (!route) return { kind: "refused", code: "HOST_UNKNOWN", detail: asked.host }
  const { authority, target } = asked
  request.url = target
  request.headers = requestFields(headers, { remote: arrived.remote.address, scheme, authority, by: name, httpVersion })
  return { kind: "route", value: { route, target } }
}

/** What is wrong with a request wherever it goes. */
function faultOf(request: IncomingMessage, name: Hostname): Refused | undefined {
  const { headers, httpVersion, method = "" } = request
  if (request.httpVersionMajor !== 1) return { kind: "refused", code: "HTTP_VERSION", detail: httpVersion }
  if (method === "TRACE") return { kind: "refused", code: "METHOD_REFUSED", detail: method }
  if (hasPassed(headers, name)) return { kind: "refused", code: "WEB_LOOP", detail: "our name is in Via" }
  const code = framingFault(headers, httpVersion)
  return code && { kind: "refused", code, detail: "framing" }
}

/** Every Host field as it came: `headers` keeps only the first. */
function hostsOf({ rawHeaders }: IncomingMessage): string[] {
  return rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === "host")
}
