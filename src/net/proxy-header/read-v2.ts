/** PROXY protocol version 2 (§2.2): a binary header with addresses and TLVs behind a length. */
import { Cursor } from "../../bytes/cursor.ts"
import { NEED_MORE, value, type Parsed } from "../../bytes/parsed.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import { ipAddressOf } from "../../names/ip-address.ts"
import { malformed, type ProxyHeader, type ProxyRefusal } from "./header.ts"
import { readTlvs } from "./tlvs.ts"

export const V2_SIGNATURE: Uint8Array = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1")

/** Ours: room for every TLV there is and for 4 kB of padding (NOOP, §2.2.4); the field could say 64 kB. */
export const V2_BYTES_MAX = 8192
/** Signature, command, family and length. */
export const FIXED_BYTES = 16

/** Reads a header that begins with `V2_SIGNATURE`, or with a part of it. */
export function readV2(received: Uint8Array): Parsed<ProxyHeader, ProxyRefusal> {
  const wrong = wrongByte(received[12] ?? COMMAND_PROXY, received[13] ?? 0)
  if (wrong !== undefined) return malformed(wrong)
  if (received.length < FIXED_BYTES) return NEED_MORE
  const cursor = new Cursor(received.subarray(FIXED_BYTES - 2))
  const blockBytes = cursor.u16() ?? 0
  const headerBytes = FIXED_BYTES + blockBytes
  if (headerBytes > V2_BYTES_MAX) return malformed(`a header of ${headerBytes} bytes`)
  const block = cursor.take(blockBytes)
  if (!block) return NEED_MORE
  // §2.2: the receiver of LOCAL must discard the protocol block, "including the family which is ignored".
  if (received[12] === COMMAND_LOCAL) return value({ kind: "local" }, headerBytes)
  return readProxied(received.subarray(0, headerBytes), new Cursor(block))
}

const COMMAND_LOCAL = 0x20
export const COMMAND_PROXY = 0x21

/** §2.2: receivers must drop connections that present unexpected values of version, command, family or transport. */
function wrongByte(versionAndCommand: number, familyAndTransport: number): string | undefined {
  if (versionAndCommand === COMMAND_LOCAL) return undefined
  if (versionAndCommand !== COMMAND_PROXY) return `version and command ${versionAndCommand}`
  const known = familyAndTransport >> 4 <= FAMILY_UNIX && (familyAndTransport & 0xf) <= TRANSPORT_DATAGRAM
  return known ? undefined : `family and transport ${familyAndTransport}`
}

const UNSPEC = 0
const FAMILY_INET = 1
const FAMILY_UNIX = 3
const TRANSPORT_DATAGRAM = 2
export const TCP4 = 0x11
export const TCP6 = 0x21
const UNIX_PATH_BYTES = 108

function readProxied(header: Uint8Array, block: Cursor): Parsed<ProxyHeader, ProxyRefusal> {
  const familyAndTransport = header[13] ?? UNSPEC
  const family = familyAndTransport >> 4
  // §2.2: of UNSPEC the receiver ignores the address information, and so cannot know where TLVs would begin.
  if (family === UNSPEC || (familyAndTransport & 0xf) === UNSPEC) return value({ kind: "unknown" }, header.length)
  const ends = family === FAMILY_UNIX ? skipPaths(block) : readEnds(block, family === FAMILY_INET ? 4 : 16)
  if (!ends) return malformed("the addresses are cut short")
  const tlvs = readTlvs(block, header)
  if (tlvs.kind === "refused") return tlvs
  // Datagrams and UNIX sockets have no TCP address that a limit, a log or a backend could use. §2.2 has a receiver fall
  // "back to the UNSPEC mode for the valid combinations" that it does not support.
  const isTcp = familyAndTransport === TCP4 || familyAndTransport === TCP6
  if (!isTcp || ends === "paths") return value({ kind: "unknown" }, header.length)
  return value({ kind: "proxied", ...ends, tlvs: tlvs.value }, header.length)
}

type Ends = { readonly remote: SocketAddress; readonly local: SocketAddress }

function readEnds(block: Cursor, addressBytes: 4 | 16): Ends | undefined {
  const [from, to] = [block.take(addressBytes), block.take(addressBytes)]
  const [fromPort, toPort] = [block.u16(), block.u16()]
  if (!from || !to || fromPort === undefined || toPort === undefined) return undefined
  return {
    remote: { address: ipAddressOf(from), port: fromPort },
    local: { address: ipAddressOf(to), port: toPort },
  }
}

function skipPaths(block: Cursor): "paths" | undefined {
  return block.take(2 * UNIX_PATH_BYTES) && "paths"
}
