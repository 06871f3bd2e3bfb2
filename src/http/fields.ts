/**
 * Which header fields pass a proxy, and which it answers for itself. A field that only concerns one connection ends
 * here; what a stranger says about who forwarded a request is dropped, and what we know is put in its place.
 */
import type { IncomingHttpHeaders } from "node:http"
import type { FaultCode } from "../faults/faults.ts"
import type { Hostname } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"

/** What we know of a request ourselves, and the backend cannot. */
export type Forwarded = {
  readonly remote: IpAddress
  readonly scheme: "http" | "https"
  /** The host that was asked for, as asked: with its port if it had one. */
  readonly authority: string
  /** Our name in Via. */
  readonly by: Hostname
  readonly httpVersion: string
}

/** The fields that the backend is sent. Framing is stated anew, never copied from a field that might not mean it. */
export function requestFields(headers: IncomingHttpHeaders, about: Forwarded): IncomingHttpHeaders {
  const fields = endToEnd(headers, (name) => isForwarding(name) || REQUEST_ONLY_HERE.has(name))
  if (headers["transfer-encoding"] !== undefined) fields["transfer-encoding"] = "chunked"
  fields["host"] = about.authority
  fields["x-forwarded-for"] = about.remote
  fields["x-forwarded-proto"] = about.scheme
  fields["x-forwarded-host"] = about.authority
  fields["via"] = withVia(headers, about.httpVersion, about.by)
  return fields
}

/** The fields that a visitor is sent, without those that frame the message: our server states these. */
export function responseFields(headers: IncomingHttpHeaders, httpVersion: string, by: Hostname): IncomingHttpHeaders {
  return { ...endToEnd(headers, (name) => RESPONSE_ONLY_HERE.has(name)), via: withVia(headers, httpVersion, by) }
}

/** Trailer fields that may follow a body: none that frame, route or authenticate it (RFC 9110 §6.5.1). */
export function trailerFields(trailers: NodeJS.Dict<string>): NodeJS.Dict<string> {
  const passing = Object.entries(trailers).filter(([name]) => !HOP_BY_HOP.has(name) && !NEVER_IN_TRAILER.has(name))
  return Object.fromEntries(passing)
}

/** What is wrong with how a request says where it ends; these are the doors of request smuggling (RFC 9112 §11.2). */
export function framingFault(headers: IncomingHttpHeaders, httpVersion: string): FaultCode | undefined {
  const coding = headers["transfer-encoding"]
  // A field that frames or routes is meant for everybody (RFC 9110 §7.6.1); naming it in Connection asks us to drop it.
  if (nominated(headers).some((name) => FRAMES_OR_ROUTES.has(name))) return "REQUEST_MALFORMED"
  if (coding === undefined) return undefined
  // RFC 9112 §6.1: a 1.0 message with Transfer-Encoding has faulty framing; both fields together may be an attack.
  if (httpVersion === "1.0" || headers["content-length"] !== undefined) return "REQUEST_MALFORMED"
  return coding.toLowerCase() === "chunked" ? undefined : "CODING_UNKNOWN"
}

/** RFC 9110 §7.6.3: our own name in Via means that the request has been here before. */
export function hasPassed(headers: IncomingHttpHeaders, by: Hostname): boolean {
  const hops = headers["via"]?.split(",") ?? []
  return hops.some((hop) => hop.trim().split(/\s+/)[1]?.toLowerCase() === by)
}

/** RFC 9110 §7.6.1, and the two that RFC 7235 called hop-by-hop. */
const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authentication-info",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
])
/** `proxy` becomes HTTP_PROXY in a CGI program (CVE-2016-5385); `trailer` announces what we may not pass on. */
const REQUEST_ONLY_HERE = new Set(["expect", "host", "http2-settings", "proxy", "trailer", "via"])
/** `trailer` on a message that turns out not to be chunked is an error in node:http, and a backend could cause it. */
const RESPONSE_ONLY_HERE = new Set(["trailer", "via"])
const FRAMES_OR_ROUTES = new Set(["content-length", "host", "transfer-encoding"])
const NEVER_IN_TRAILER = new Set([
  "authorization",
  "content-encoding",
  "content-length",
  "content-range",
  "content-type",
  "cookie",
  "host",
  "set-cookie",
  "trailer",
])
/** Who asked, how and for what, as proxies say it; only the one in front of a server may be believed. */
const FORWARDING = new Set([
  "cf-connecting-ip",
  "client-ip",
  "forwarded",
  "true-client-ip",
  "x-client-ip",
  "x-cluster-client-ip",
  "x-real-ip",
])

/** Underscores count as hyphens: CGI, WSGI and PHP make one variable of both. */
function isForwarding(name: string): boolean {
  const spelled = name.replaceAll("_", "-")
  return spelled.startsWith("x-forwarded") || FORWARDING.has(spelled)
}

function endToEnd(headers: IncomingHttpHeaders, endsHere: (name: string) => boolean): IncomingHttpHeaders {
  const named = new Set(nominated(headers))
  const passing = Object.entries(headers).filter(
    ([name]) => !HOP_BY_HOP.has(name) && !endsHere(name) && !(named.has(name) && !FRAMES_OR_ROUTES.has(name)),
  )
  return Object.fromEntries(passing)
}

/** The fields that Connection says are for this connection only (RFC 9110 §7.6.1). */
function nominated(headers: IncomingHttpHeaders): readonly string[] {
  return headers["connection"]?.split(",").map((name) => name.trim().toLowerCase()) ?? []
}

function withVia(headers: IncomingHttpHeaders, httpVersion: string, by: Hostname): string {
  const here = `${httpVersion} ${by}`
  return headers["via"] ? `${headers["via"]}, ${here}` : here
}
