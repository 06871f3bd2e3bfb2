/** NAT-PMP (RFC 6886): asks the home router for its public address and for a mapping of one TCP port. Pure: bytes in and out. */
import { Cursor } from "../bytes/cursor.ts"
import { refused, type ParsedWhole } from "../bytes/parsed.ts"
import { ipAddressOf, type IpAddress } from "../names/ip-address.ts"
import type { Port } from "../names/endpoint.ts"

const VERSION = 0
const OP_ADDRESS = 0
const OP_MAP_TCP = 2
/** RFC 6886 §3.3: an answer's opcode is the question's and this. */
const ANSWER = 128
const TAKEN = 0

/** RFC 6886 §3.5. */
const REFUSALS = new Map([
  [1, "it does not speak this version"],
  [2, "its owner has switched mappings off"],
  [3, "it has no network itself"],
  [4, "it has no room for another mapping"],
  [5, "it does not know the request"],
])

export type NatPmpAnswer =
  | { readonly kind: "address"; readonly address: IpAddress }
  | {
      readonly kind: "mapped"
      readonly internalPort: Port
      readonly externalPort: Port
      readonly lifetimeSeconds: number
    }

/** Why an answer is none, in words for the owner. */
export type NatPmpRefusal = string

/** RFC 6886 §3.2. */
export function writeAddressRequest(): Uint8Array {
  return Uint8Array.of(VERSION, OP_ADDRESS)
}

/** RFC 6886 §3.3; a lifetime of 0 removes the mapping, and then the external port is 0 (§3.4). */
export function writeMapRequest(internalPort: Port, externalPort: Port, lifetimeSeconds: number): Uint8Array {
  const request = Buffer.alloc(12)
  request[0] = VERSION
  request[1] = OP_MAP_TCP
  request.writeUInt16BE(internalPort, 4)
  request.writeUInt16BE(lifetimeSeconds === 0 ? 0 : externalPort, 6)
  request.writeUInt32BE(lifetimeSeconds, 8)
  return request
}

/** Reads one datagram; what stands behind the answer is passed over, as RFC 6886 says nothing of it. */
export function readNatPmp(datagram: Uint8Array): ParsedWhole<NatPmpAnswer, NatPmpRefusal> {
  const cursor = new Cursor(datagram)
  const [version, opcode, result, epoch] = [cursor.u8(), cursor.u8(), cursor.u16(), cursor.u32()]
  if (version !== VERSION || opcode === undefined || result === undefined) return refused("it is not NAT-PMP")
  if (result !== TAKEN) return refused(REFUSALS.get(result) ?? `it answers with code ${result}`)
  if (epoch === undefined) return refused("its answer is cut short")
  if (opcode === OP_ADDRESS + ANSWER) return readAddress(cursor)
  return opcode === OP_MAP_TCP + ANSWER ? readMapped(cursor) : refused("it answers another question")
}

function readAddress(cursor: Cursor): ParsedWhole<NatPmpAnswer, NatPmpRefusal> {
  const bytes = cursor.take(4)
  return bytes
    ? { kind: "value", value: { kind: "address", address: ipAddressOf(bytes) } }
    : refused("its answer is cut short")
}

function readMapped(cursor: Cursor): ParsedWhole<NatPmpAnswer, NatPmpRefusal> {
  const [internalPort, externalPort, lifetimeSeconds] = [cursor.u16(), cursor.u16(), cursor.u32()]
  if (internalPort === undefined || externalPort === undefined || lifetimeSeconds === undefined)
    return refused("its answer is cut short")
  return { kind: "value", value: { kind: "mapped", internalPort, externalPort, lifetimeSeconds } }
}
