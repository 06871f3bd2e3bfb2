/** PCP (RFC 6887), opcode MAP alone: asks the home router for a mapping of one TCP port. Pure: bytes in and out. */
import { Cursor } from "../bytes/cursor.ts"
import { refused, type ParsedWhole } from "../bytes/parsed.ts"
import { ipAddressOf, ipv6Bytes, type IpAddress } from "../names/ip-address.ts"
import type { Port, SocketAddress } from "../names/endpoint.ts"

const VERSION = 2
const OP_MAP = 1
/** RFC 6887 §7.1: the highest bit of the opcode's byte is R, set in answers. */
const R = 0x80
const TCP = 6
/** RFC 6887 §11.1: 96 bits that only the two know, so that nobody else changes the mapping. */
export const PCP_NONCE_BYTES = 12
const HEADER_BYTES = 24
const MAP_BYTES = 36

/** RFC 6887 §7.4. */
const REFUSALS = new Map([
  [1, "it does not speak this version"],
  [2, "its owner has switched mappings off"],
  [3, "it finds the request malformed"],
  [4, "it does not know the request"],
  [5, "it does not know an option"],
  [6, "it finds an option malformed"],
  [7, "it has no network itself"],
  [8, "it has no room for another mapping"],
  [9, "it does not map TCP"],
  [10, "this box has enough mappings already"],
  [11, "it does not map to that public address or port"],
  [12, "a second router stands between this box and it"],
  [13, "it serves too many already"],
])

export type PcpRequest = {
  readonly nonce: Uint8Array
  /** RFC 6887 §8.1: our own address; a router sees by it whether a second NAT stands in between. */
  readonly client: IpAddress
  readonly internalPort: Port
  readonly externalPort: Port
  /** 0 removes the mapping (§15). */
  readonly lifetimeSeconds: number
}

export type PcpMapped = {
  readonly nonce: Uint8Array
  readonly internalPort: Port
  readonly external: SocketAddress
  readonly lifetimeSeconds: number
}

/** Why an answer is none, in words for the owner. */
export type PcpRefusal = string

/** RFC 6887 §7.1 and §11.1. */
export function writePcpMap({ nonce, client, internalPort, externalPort, lifetimeSeconds }: PcpRequest): Uint8Array {
  const request = Buffer.alloc(HEADER_BYTES + MAP_BYTES)
  request[0] = VERSION
  request[1] = OP_MAP
  request.writeUInt32BE(lifetimeSeconds, 4)
  request.set(ipv6Bytes(client), 8)
  request.set(nonce.subarray(0, PCP_NONCE_BYTES), HEADER_BYTES)
  request[HEADER_BYTES + 12] = TCP
  request.writeUInt16BE(internalPort, HEADER_BYTES + 16)
  request.writeUInt16BE(externalPort, HEADER_BYTES + 18)
  request.set(anyAddress(client), HEADER_BYTES + 20)
  return request
}

/** RFC 6887 §11.1: no wish, in the family that is asked for. */
function anyAddress(client: IpAddress): Uint8Array {
  return client.includes(":") ? new Uint8Array(16) : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0)
}

/** Reads one datagram; options behind the answer are passed over (§7.3: none is needed to understand it). */
export function readPcpMap(datagram: Uint8Array): ParsedWhole<PcpMapped, PcpRefusal> {
  const cursor = new Cursor(datagram)
  const version = cursor.u8()
  const opcode = cursor.u8()
  cursor.skip(1)
  const result = cursor.u8()
  // RFC 6886 §3.5: a router that knows NAT-PMP alone answers with version 0.
  if (version !== VERSION || opcode !== (OP_MAP | R) || result === undefined) return refused("it is not PCP")
  const lifetimeSeconds = cursor.u32()
  if (result !== 0) return refused(REFUSALS.get(result) ?? `it answers with code ${result}`)
  const [epochAndReserved, nonce, protocol] = [cursor.take(16), cursor.take(PCP_NONCE_BYTES), cursor.u8()]
  const [reserved, internalPort, externalPort, address] = [cursor.take(3), cursor.u16(), cursor.u16(), cursor.take(16)]
  if (!epochAndReserved || !nonce || protocol !== TCP || !reserved) return refused("its answer is cut short")
  if (lifetimeSeconds === undefined || internalPort === undefined || externalPort === undefined || !address)
    return refused("its answer is cut short")
  const external = { address: ipAddressOf(address), port: externalPort }
  return { kind: "value", value: { nonce, internalPort, external, lifetimeSeconds } }
}
