/**
 * HTTP CONNECT (RFC 9110 §9.3.6, RFC 9112) as a mail program speaks it to the box. The head of one request is read and
 * nothing else of HTTP is known here: behind it the connection is the far mail server's. Pure: bytes in, values out.
 */
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import { kindOf, type FaultCode } from "../faults/faults.ts"
import { endpoint, type Endpoint } from "../names/endpoint.ts"
import type { Login } from "./socks.ts"

/** Ours: a request line with a host name, and the few header fields that clients send with it. */
export const CONNECT_HEAD_BYTES_MAX = 8_192
const HEAD_END = Buffer.from("\r\n\r\n")
/** RFC 9112 §3.2.3: authority-form, `host:port`. */
const REQUEST_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+) (\S+) (HTTP\/1\.[01])$/
/** RFC 9110 §5.1 and §5.5: a token, a colon, and no control characters. No folding (RFC 9112 §5.2). */
const FIELD = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e\x80-\xff\t]*?)[ \t]*$/

export type ConnectRefusal = Extract<FaultCode, "REQUEST_MALFORMED" | "HEADERS_TOO_LARGE" | "METHOD_REFUSED">
export type ConnectRequest = { readonly to: Endpoint; readonly login: Login | undefined }

export function readConnect(received: Uint8Array): Parsed<ConnectRequest, ConnectRefusal> {
  const head = Buffer.from(received.buffer, received.byteOffset, Math.min(received.length, CONNECT_HEAD_BYTES_MAX))
  const endAt = head.indexOf(HEAD_END)
  if (endAt < 0) return received.length < CONNECT_HEAD_BYTES_MAX ? NEED_MORE : refused("HEADERS_TOO_LARGE")
  const [requestLine = "", ...fieldLines] = head.toString("latin1", 0, endAt).split("\r\n")
  const [, method, target = ""] = REQUEST_LINE.exec(requestLine) ?? []
  if (method === undefined) return refused("REQUEST_MALFORMED")
  if (method !== "CONNECT") return refused("METHOD_REFUSED")
  const to = endpoint(target)
  const fields = readFields(fieldLines)
  // CONNECT has no content; what looks like some would reach the mail server as its first command.
  if (!to || !fields || fields.has("content-length") || fields.has("transfer-encoding"))
    return refused("REQUEST_MALFORMED")
  return value({ to, login: readBasic(fields.get("proxy-authorization") ?? "") }, endAt + HEAD_END.length)
}

/** By lower-case name; `undefined` where one is malformed. */
function readFields(lines: readonly string[]): ReadonlyMap<string, string> | undefined {
  const fields = new Map<string, string>()
  for (const line of lines) {
    const [, name, content = ""] = FIELD.exec(line) ?? []
    if (name === undefined) return undefined
    fields.set(name.toLowerCase(), content)
  }
  return fields
}

/** RFC 7617 §2: user and password with a colon between, in base64. */
function readBasic(credentials: string): Login | undefined {
  const [, encoded] = /^basic +([A-Za-z0-9+/]+=*)$/i.exec(credentials) ?? []
  const [, user, password] = /^([^:]*):(.*)$/s.exec(Buffer.from(encoded ?? "", "base64").toString("utf8")) ?? []
  return user === undefined || password === undefined ? undefined : { user, password }
}

/** RFC 9110 §9.3.6: no length and no content, the far end's bytes follow. */
export function connectedLine(): Uint8Array {
  return Buffer.from("HTTP/1.1 200 Connected\r\n\r\n")
}

/** A refusal with its code in the content; the connection is closed behind it. */
export function refusalResponse(code: FaultCode): Uint8Array {
  const { http: status = 502, tell } = kindOf(code)
  const content = `${code}: ${tell}\n`
  const lines = [
    `HTTP/1.1 ${status} ${code}`, // the reason is free text (RFC 9112 §4), and the only one that many clients show
    ...(status === 407 ? ['Proxy-Authenticate: Basic realm="waypost"'] : []),
    ...(status === 405 ? ["Allow: CONNECT"] : []),
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${Buffer.byteLength(content)}`,
    "Connection: close",
  ]
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${content}`)
}
