/**
 * Finds the name in a TLS ClientHello (RFC 8446 §4.1.2) without taking part in the handshake. Every byte looked at is
 * handed on unchanged; nothing here can decrypt, and must stay so. What does not bear on the route (ciphers, groups,
 * versions, keys) is left to the end that will speak TLS, so what is new in TLS passes.
 */
import { Cursor } from "../bytes/cursor.ts"
import { value, type Parsed, type ParsedWhole } from "../bytes/parsed.ts"
import type { Hostname } from "../names/hostname.ts"
import { readAlpn } from "./alpn.ts"
import { readExtensions } from "./extensions.ts"
import { joinRecords } from "./records.ts"
import { refuse, type HelloRefusal } from "./refusal.ts"
import { readServerName } from "./server-name.ts"

export type ClientHello = {
  /** The name asked for (RFC 6066 §3; with ECH the outer one). `undefined`: none that could be anybody's. */
  readonly serverName: Hostname | undefined
  /** The application protocols offered, in the client's order (RFC 7301 §3.1); bytes as Latin-1. Empty: none. */
  readonly alpn: readonly string[]
}

/**
 * Reads the ClientHello that a connection begins with. `consumedBytes` is where its last record ends; what follows
 * (early data, say) is not looked at. Cheap to call again whenever bytes arrive.
 */
export function readClientHello(received: Uint8Array): Parsed<ClientHello, HelloRefusal> {
  const body = joinRecords(received)
  if (body.kind !== "value") return body
  const hello = readBody(new Cursor(body.value))
  return hello.kind === "value" ? value(hello.value, body.consumedBytes) : hello
}

/** RFC 8446 §4.1.2: at most 32 bytes, also in the versions before. */
const SESSION_ID_BYTES_MAX = 32
const RANDOM_BYTES = 32
const SSL3 = 0x0300

function readBody(body: Cursor): ParsedWhole<ClientHello, HelloRefusal> {
  const version = body.u16()
  const random = body.skip(RANDOM_BYTES)
  const sessionIdBytes = body.skipBlock(1)
  const cipherBytes = body.skipBlock(2)
  const compressions = body.skipBlock(1)
  if (!random || version === undefined || sessionIdBytes === undefined) return malformed("it ends too early")
  if (cipherBytes === undefined || compressions === undefined) return malformed("it ends too early")
  // Newer versions are fine: who answers may still offer an older one (RFC 5246 §E.1).
  if (version < SSL3) return refuse("HELLO_VERSION", `version ${version}`)
  if (sessionIdBytes > SESSION_ID_BYTES_MAX) return malformed(`a session id of ${sessionIdBytes} bytes`)
  if (cipherBytes === 0 || cipherBytes % 2 !== 0) return malformed(`${cipherBytes} bytes of ciphers`)
  if (compressions === 0) return malformed("no compression method")
  return readRest(body)
}

/** TLS before 1.3 allows a hello that ends here, without the length of an extension block. */
function readRest(body: Cursor): ParsedWhole<ClientHello, HelloRefusal> {
  if (body.leftBytes === 0) return { kind: "value", value: { serverName: undefined, alpn: [] } }
  const block = body.block(2)
  if (!block || body.leftBytes > 0) return malformed("the extension block's length is wrong")
  const extensions = readExtensions(block)
  if (extensions.kind === "refused") return extensions
  const serverName = readServerName(extensions.value.serverName)
  if (serverName.kind === "refused") return serverName
  const alpn = readAlpn(extensions.value.alpn)
  if (alpn.kind === "refused") return alpn
  return { kind: "value", value: { serverName: serverName.value, alpn: alpn.value } }
}

function malformed(detail: string) {
  return refuse("HELLO_MALFORMED", detail)
}
