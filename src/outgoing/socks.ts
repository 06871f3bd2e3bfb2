/**
 * SOCKS version 5 as a mail program speaks it to the box: RFC 1928 without authentication, or with the user and password
 * of RFC 1929. Only CONNECT. Pure: bytes in, values out.
 */
import { Cursor } from "../bytes/cursor.ts"
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import type { FaultCode } from "../faults/faults.ts"
import type { Endpoint, SocketAddress } from "../names/endpoint.ts"
import { hostname } from "../names/hostname.ts"
import { ipAddress, ipAddressBytes, ipAddressOf, isIpv6 } from "../names/ip-address.ts"

/** The first byte of all that a client says, and by which it is known. */
export const SOCKS_VERSION = 5
/** RFC 1929 §2: the version of the login alone. */
const LOGIN_VERSION = 1

export type SocksRefusal = Extract<FaultCode, "SOCKS_MALFORMED" | "SOCKS_COMMAND">

/** What a client offers to prove who it is, of the two ways that we know (RFC 1928 §3). */
export type Methods = { readonly none: boolean; readonly login: boolean }

const METHOD = { none: 0x00, login: 0x02, unacceptable: 0xff } as const

/** RFC 1928 §3: version, and a list of methods. */
export function readMethods(received: Uint8Array): Parsed<Methods, SocksRefusal> {
  const from = new Cursor(received)
  const version = from.u8()
  if (version !== undefined && version !== SOCKS_VERSION) return refused("SOCKS_MALFORMED")
  const methods = from.block(1)
  if (!methods) return NEED_MORE
  const offered = methods.rest()
  const known = { none: offered.includes(METHOD.none), login: offered.includes(METHOD.login) }
  return value(known, received.length - from.leftBytes)
}

/** Which method it is to be; `unacceptable` ends the connection. */
export function methodChoice(method: keyof typeof METHOD): Uint8Array {
  return Uint8Array.of(SOCKS_VERSION, METHOD[method])
}

export type Login = { readonly user: string; readonly password: string }

/** RFC 1929 §2: version, user and password, each behind its length. */
export function readLogin(received: Uint8Array): Parsed<Login, SocksRefusal> {
  const from = new Cursor(received)
  const version = from.u8()
  if (version !== undefined && version !== LOGIN_VERSION) return refused("SOCKS_MALFORMED")
  const user = from.block(1)
  const password = user && from.block(1)
  if (!password) return NEED_MORE
  return value({ user: utf8(user), password: utf8(password) }, received.length - from.leftBytes)
}

function utf8(cursor: Cursor): string {
  return Buffer.from(cursor.rest()).toString("utf8")
}

/** RFC 1929 §2: anything but 0 is a failure, after which the connection is closed. */
export function loginAnswer(accepted: boolean): Uint8Array {
  return Uint8Array.of(LOGIN_VERSION, accepted ? 0 : 1)
}

const CONNECT = 1
const ADDRESS_TYPE = { ipv4: 1, name: 3, ipv6: 4 } as const

/** RFC 1928 §4: version, command, a reserved zero, address or name, port. A name may be an address as text, as curl sends it. */
export function readRequest(received: Uint8Array): Parsed<Endpoint, SocksRefusal> {
  const from = new Cursor(received)
  const [version, command, reserved, type] = [from.u8(), from.u8(), from.u8(), from.u8()]
  if (version !== undefined && version !== SOCKS_VERSION) return refused("SOCKS_MALFORMED")
  if (command !== undefined && command !== CONNECT) return refused("SOCKS_COMMAND")
  if (reserved !== undefined && reserved !== 0) return refused("SOCKS_MALFORMED")
  if (type === undefined) return NEED_MORE
  if (!Object.values(ADDRESS_TYPE).some((known) => known === type)) return refused("SOCKS_MALFORMED")
  const place = type === ADDRESS_TYPE.name ? from.block(1)?.rest() : from.take(type === ADDRESS_TYPE.ipv4 ? 4 : 16)
  const port = from.u16()
  if (!place || port === undefined) return NEED_MORE
  const text = Buffer.from(place).toString("latin1")
  const host = type === ADDRESS_TYPE.name ? (ipAddress(text) ?? hostname(text)) : ipAddressOf(place)
  return host ? value({ host, port }, received.length - from.leftBytes) : refused("SOCKS_MALFORMED")
}

/** RFC 1928 §6. `from`: the address that the far end sees. */
export function connected(from: SocketAddress): Uint8Array {
  return answer(0x00, from)
}

/** RFC 1928 §6: why not, in one of its eight words. The connection is closed behind it. */
export function notConnected(code: FaultCode): Uint8Array {
  return answer(REPLIES[code] ?? GENERAL_FAILURE, undefined)
}

const GENERAL_FAILURE = 0x01
const REPLIES: Partial<Record<FaultCode, number>> = {
  OUTGOING_PORT: 0x02, // not allowed by ruleset
  OUTGOING_PLACE: 0x02,
  OUTGOING_OFF: 0x02,
  OUTGOING_FAMILY: 0x03, // network unreachable
  BACKEND_UNKNOWN: 0x04, // host unreachable
  BACKEND_SILENT: 0x04,
  BACKEND_REFUSES: 0x05, // connection refused
  SOCKS_COMMAND: 0x07, // command not supported
}

/** An address is always there; where none is known it is zeros. */
function answer(reply: number, bound: SocketAddress | undefined): Uint8Array {
  const address = bound ? ipAddressBytes(bound.address) : new Uint8Array(4)
  const type = bound && isIpv6(bound.address) ? ADDRESS_TYPE.ipv6 : ADDRESS_TYPE.ipv4
  const port = bound?.port ?? 0
  return Uint8Array.of(SOCKS_VERSION, reply, 0, type, ...address, port >> 8, port & 0xff)
}
