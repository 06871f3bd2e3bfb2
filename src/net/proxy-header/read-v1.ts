/** PROXY protocol version 1 (§2.1): one line of ASCII, read as strictly as it is written there. */
import { NEED_MORE, value, type Parsed } from "../../bytes/parsed.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import { ipAddress } from "../../names/ip-address.ts"
import { malformed, type ProxyHeader, type ProxyRefusal } from "./header.ts"

export const V1_SIGNATURE: Uint8Array = Buffer.from("PROXY")

/** §2.1: the longest line that TCP over IPv6 or UNKNOWN can need, CR LF included. */
export const V1_BYTES_MAX = 107

/** Reads a line that begins with `V1_SIGNATURE`, or with a part of it. */
export function readV1(received: Uint8Array): Parsed<ProxyHeader, ProxyRefusal> {
  const text = Buffer.from(received.subarray(0, V1_BYTES_MAX)).toString("latin1")
  const lineChars = text.indexOf("\r\n")
  if (lineChars >= 0) return readLine(text.slice(0, lineChars))
  if (text.length === V1_BYTES_MAX) return malformed("the line does not end")
  return couldBecomeLine(text) ? NEED_MORE : malformed(JSON.stringify(text))
}

/** §2.1: what follows UNKNOWN is to be ignored, up to the end of the line. */
const UNKNOWN = /^PROXY UNKNOWN(?: [^\r\n]*)?$/
const TCP = /^PROXY TCP(?<family>[46]) (?<from>[^ ]+) (?<to>[^ ]+) (?<fromPort>[^ ]+) (?<toPort>[^ ]+)$/

function readLine(line: string): Parsed<ProxyHeader, ProxyRefusal> {
  const lineBytes = line.length + 2
  if (UNKNOWN.test(line)) return value({ kind: "unknown" }, lineBytes)
  const fields = TCP.exec(line)?.groups
  const remote = fields && end(fields["family"], fields["from"], fields["fromPort"])
  const local = fields && end(fields["family"], fields["to"], fields["toPort"])
  return remote && local
    ? value({ kind: "proxied", remote, local, tlvs: [] }, lineBytes)
    : malformed(JSON.stringify(line))
}

function end(family: string | undefined, addressText = "", portText = ""): SocketAddress | undefined {
  // §2.1: "The advertised protocol family dictates what format to use."
  if (addressText.includes(":") !== (family === "6")) return undefined
  const address = ipAddress(addressText)
  const port = /^(?:0|[1-9]\d{0,4})$/.test(portText) ? Number(portText) : Infinity
  return address && port <= 65535 ? { address, port } : undefined
}

/** Every beginning of a line that may still turn out right, by what characters can stand where. */
const BEGINNINGS = [/^PROXY UNKNOWN(?: [^\r\n]*)?\r?$/, /^PROXY TCP4 [0-9. ]*\r?$/, /^PROXY TCP6 [0-9a-fA-F:. ]*\r?$/]
const FAMILIES = ["PROXY UNKNOWN", "PROXY TCP4 ", "PROXY TCP6 "]

function couldBecomeLine(text: string): boolean {
  return FAMILIES.some((family) => family.startsWith(text)) || BEGINNINGS.some((beginning) => beginning.test(text))
}
