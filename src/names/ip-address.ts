/**
 * IP addresses in one spelling, so that equal addresses are equal strings: dotted quad for IPv4 (also when the kernel
 * says ::ffff:a.b.c.d), RFC 5952 text for IPv6, no zone.
 */
import ipaddr from "ipaddr.js"

/** A checked address in its one spelling. */
export type IpAddress = string & { readonly __brand: "IpAddress" }

/** A range of addresses, as in `accept-proxy: [10.0.0.0/8]`. */
export type Cidr = { readonly network: IpAddress; readonly prefixBits: number }

const DOTTED_QUAD = /^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$/

/** Reads an address strictly: no octal, no short forms, no zone; `undefined` if it is none. */
export function ipAddress(text: string): IpAddress | undefined {
  const known = recent.get(text)
  if (known !== undefined) return known
  if (!(text.includes(":") ? isGroups(text) : isDottedQuad(text))) return undefined
  const address = spelled(ipaddr.parse(text))
  if (recent.size >= RECENT_MAX) recent.clear()
  recent.set(text, address)
  return address
}

function spelled(parsed: ipaddr.IPv4 | ipaddr.IPv6): IpAddress {
  const plain = parsed instanceof ipaddr.IPv6 && parsed.isIPv4MappedAddress() ? parsed.toIPv4Address() : parsed
  return plain.toString() as IpAddress // the only cast to IpAddress in the program
}

/** Ours: remembered spellings. Every accepted connection asks twice, mostly about the same few addresses. */
const RECENT_MAX = 4096
const recent = new Map<string, IpAddress>()

/** IPv6; a dotted quad at its end is as strict as one alone (ipaddr.js would read 010 as octal). */
function isGroups(text: string): boolean {
  const tail = text.slice(text.lastIndexOf(":") + 1)
  return ipaddr.IPv6.isValid(text) && !text.includes("%") && (!tail.includes(".") || isDottedQuad(tail))
}

function isDottedQuad(text: string): boolean {
  return DOTTED_QUAD.test(text) && text.split(".").every((octet) => Number(octet) <= 255)
}

/** The address in 4 or 16 bytes of a protocol. */
export function ipAddressOf(bytes: Uint8Array): IpAddress {
  return spelled(ipaddr.fromByteArray(Array.from(bytes)))
}

/** In network order: 4 bytes, or 16 for IPv6. */
export function ipAddressBytes(address: IpAddress): Uint8Array {
  return Uint8Array.from(ipaddr.parse(address).toByteArray())
}

/** Always 16 bytes: IPv4 as ::ffff:a.b.c.d (RFC 4291 §2.5.5.2). */
export function ipv6Bytes(address: IpAddress): Uint8Array {
  const bytes = ipAddressBytes(address)
  return bytes.length === 16 ? bytes : Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes)
}

export function isIpv6(address: IpAddress): boolean {
  return address.includes(":")
}

/**
 * An address that anybody on the internet may have: not private, shared, loopback, link-local, multicast, unspecified,
 * for documentation, or wrapping another one (the IANA special-purpose registries, RFC 6890).
 */
export function isGlobal(address: IpAddress): boolean {
  if (ipaddr.parse(address).range() !== "unicast") return false
  return !isIpv6(address) || GLOBAL_IPV6_FIRST_DIGIT.test(address)
}

/** RFC 4291 §2.4, RFC 3513 §4: of IPv6 the IANA has given out 2000::/3; ::7f00:1, which some take for 127.0.0.1, is outside. */
const GLOBAL_IPV6_FIRST_DIGIT = /^[23][0-9a-f]{3}:/

/** This machine's own way to itself. */
export function isLoopback(address: IpAddress): boolean {
  return ipaddr.parse(address).range() === "loopback"
}

/** Reads `10.0.0.0/8`, or a bare address as a range of one. */
export function cidr(text: string): Cidr | undefined {
  const [addressText = "", bitsText, ...more] = text.split("/")
  const network = ipAddress(addressText)
  if (!network || more.length > 0) return undefined
  const bitsMax = isIpv6(network) ? 128 : 32
  if (bitsText === undefined) return { network, prefixBits: bitsMax }
  const prefixBits = /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : NaN
  return prefixBits <= bitsMax ? { network, prefixBits } : undefined
}

export function contains(range: Cidr, address: IpAddress): boolean {
  if (isIpv6(range.network) !== isIpv6(address)) return false
  return ipaddr.parse(address).match(ipaddr.parse(range.network), range.prefixBits)
}
