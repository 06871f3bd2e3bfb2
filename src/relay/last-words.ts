/** What a visitor is told, in its own protocol, when its connection leads nowhere. */
import { randomUUID } from "node:crypto"
import { STATUS_CODES } from "node:http"
import { kindOf, type FaultCode } from "../faults/faults.ts"
import { unreachable } from "../faults/unreachable.ts"
import { STARTTLS_PROTOCOLS } from "../prelude/preludes.ts"
import type { Protocol } from "../route/route.ts"
import { alertRecord } from "../sni/alert.ts"

const NOTHING = new Uint8Array(0)

/** Empty where the protocol has no words for it: then the connection is reset. */
export function lastWords(protocol: Protocol, code: FaultCode): Uint8Array {
  const { alert, smtp, http, tell } = kindOf(code)
  switch (protocol) {
    case "tls":
      return alert ? alertRecord(alert) : NOTHING
    case "smtp":
      return smtp ? Buffer.from(`${smtp} ${tell}\r\n`) : NOTHING // RFC 5321 §3.1: instead of the greeting
    case "imap":
    case "managesieve":
    case "xmpp":
      return Buffer.from(STARTTLS_PROTOCOLS[protocol].farewell(code, randomUUID()))
    case "http":
      return http ? httpAnswer(http, `${tell}\n`) : NOTHING
    case "tcp":
    case "tunnel":
      return NOTHING
    default:
      return unreachable(protocol)
  }
}

function httpAnswer(status: number, body: string): Uint8Array {
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Connection: close",
    "Content-Type: text/plain",
    `Content-Length: ${body.length}`, // ASCII: every `tell` is
  ]
  return Buffer.from(`${head.join("\r\n")}\r\n\r\n${body}`)
}
