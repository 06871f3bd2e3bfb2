/**
 * Reads which host and which resource a request asks for (RFC 9112 §3.2, §3.3), strictly: what two readers could
 * understand differently is refused, since the other reader is a friend's server behind us.
 */
import type { FaultCode } from "../faults/faults.ts"
import { hostname, type Hostname } from "../names/hostname.ts"

export type RequestLine = {
  readonly method: string
  readonly target: string
  /** Every Host field as it came; a request has exactly one. */
  readonly hosts: readonly string[]
  readonly scheme: "http" | "https"
}

export type Asked =
  /** `host` is what routes are found by; `authority` and `target` are what the backend is told. */
  | { readonly kind: "resource"; readonly host: Hostname; readonly authority: string; readonly target: string }
  /** RFC 9110 §9.3.7: about the server in general, which is us. */
  | { readonly kind: "server" }
  | { readonly kind: "refused"; readonly code: FaultCode; readonly detail: string }

export function readRequestTarget(line: RequestLine): Asked {
  const [host, ...more] = line.hosts
  // RFC 9112 §3.2: 400 to a request that lacks a Host field, has more than one, or has one with an invalid value.
  if (host === undefined || more.length > 0) return malformed(`${line.hosts.length} Host fields`)
  if (!AUTHORITY.test(host)) return malformed("Host is not a name")
  if (line.target === "*") return line.method === "OPTIONS" ? { kind: "server" } : malformed("* is for OPTIONS")
  if (line.target.startsWith("/")) return resource(host, line.target)
  return absoluteForm(line)
}

/** RFC 9112 §3.2.2: the target's own authority counts, and Host is replaced by it. */
function absoluteForm(line: RequestLine): Asked {
  const parts = ABSOLUTE.exec(line.target)?.groups
  if (!parts) return malformed("the target has none of the four forms")
  const { scheme = "", authority = "", rest = "" } = parts
  if (!AUTHORITY.test(authority)) return malformed("the target's authority is not a name")
  // RFC 9110 §7.4: not the scheme that this connection is for.
  if (scheme.toLowerCase() !== line.scheme) return unknown(`${scheme}: on a connection for ${line.scheme}:`)
  if (rest === "" && line.method === "OPTIONS") return { kind: "server" }
  return resource(authority, rest.startsWith("/") ? rest : `/${rest}`)
}

function resource(authority: string, target: string): Asked {
  if (!TARGET.test(target)) return malformed("the target has characters that none may have")
  const host = hostname(authority.replace(PORT, ""))
  return host ? { kind: "resource", host, authority, target } : unknown("Host is an address or no name")
}

/** RFC 9110 §4.2: a registered name or an address, then a port; user information is not allowed (§4.2.4). */
const AUTHORITY = /^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:\d{0,5})?$/
const PORT = /:\d{0,5}$/
const ABSOLUTE = /^(?<scheme>[A-Za-z][A-Za-z0-9+.-]*):\/\/(?<authority>[^/?]*)(?<rest>.*)$/
/** Visible ASCII without a fragment. RFC 3986 allows less, but browsers send more (`|`, `"`, `[`) in queries. */
const TARGET = /^\/[\x21\x22\x24-\x7e]*$/

function malformed(detail: string): Asked {
  return { kind: "refused", code: "REQUEST_MALFORMED", detail }
}

function unknown(detail: string): Asked {
  return { kind: "refused", code: "HOST_UNKNOWN", detail }
}
