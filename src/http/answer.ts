/** What the relay says itself, in its own name: small plain-text pages, each with the code of its fault. */
import { STATUS_CODES, type ServerResponse } from "node:http"
import type { Duplex } from "node:stream"
import { kindOf, type FaultCode } from "../faults/faults.ts"

/** RFC 9110 §9.3.8 and §9.3.6: TRACE would show a visitor's own credentials to scripts, CONNECT would make us a tunnel. */
export const METHODS_CARRIED = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"

/** Answers with the fault, or cuts the connection if another answer has already begun on it. */
export function answerFault(response: ServerResponse, code: FaultCode): void {
  if (response.headersSent) return void response.destroy()
  const { status, page, fields } = pageOf(code)
  // Content that we do not want to read to its end would be taken for the next request.
  if (!response.req.complete) response.shouldKeepAlive = false
  for (const name of response.getHeaderNames()) response.removeHeader(name) // of an answer that failed as it began
  response.writeHead(status, STATUS_CODES[status], fields).end(response.req.method === "HEAD" ? undefined : page)
}

/** As `answerFault`, where node:http has no response for us: bad syntax, CONNECT, an upgrade. Then closes. */
export function answerFaultRaw(socket: Duplex, code: FaultCode): void {
  if (!socket.writable) return void socket.destroy()
  const { status, page, fields } = pageOf(code)
  const lines = Object.entries({ ...fields, Connection: "close" }).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n${lines.join("")}\r\n${page}`)
  linger(socket)
}

/** RFC 9112 §9.6: closing with bytes unread sends a reset, which can overtake the answer; so they are read for a while. */
function linger(socket: Duplex): void {
  const close = (): void => void socket.destroy()
  const timer = setTimeout(close, LINGER_MS)
  socket
    .once("close", () => clearTimeout(timer))
    .once("end", close)
    .resume()
}

/** Ours: how long a refused visitor may take to read why. */
const LINGER_MS = 2_000

/** RFC 9110 §9.3.7: to OPTIONS about the server in general. */
export function answerOptions(response: ServerResponse): void {
  response.writeHead(204, { Allow: METHODS_CARRIED }).end()
}

function pageOf(code: FaultCode): { status: number; page: string; fields: Record<string, string | number> } {
  const { http: status = 500, tell } = kindOf(code)
  const page = `${status} ${STATUS_CODES[status] ?? ""}\n\n${tell} (${code}).\n`
  const allow = status === 405 ? { Allow: METHODS_CARRIED } : {}
  const fields = {
    ...allow,
    "Content-Type": "text/plain; charset=utf-8",
    "Content-Length": Buffer.byteLength(page),
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
  }
  return { status, page, fields }
}
