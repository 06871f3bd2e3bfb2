/** From an endpoint that may be a name to addresses, through the system's own resolver (hosts file included). */
import { lookup } from "node:dns/promises"
import { fault, FaultError } from "../faults/faults.ts"
import type { Endpoint, SocketAddress } from "../names/endpoint.ts"
import { ipAddress, isIpv6, type IpAddress } from "../names/ip-address.ts"

/** All addresses of a name, as text; rejects if there are none. */
export type Lookup = (name: string) => Promise<readonly string[]>

/** The system's own resolver, hosts file included. */
export const systemLookup: Lookup = async (name) => {
  const found = await lookup(name, { all: true, order: "verbatim" })
  return found.map(({ address }) => address)
}

export type Addresses = readonly [SocketAddress, ...SocketAddress[]]

/** Where an endpoint is, in the order in which to try. Rejects with a `FaultError` BACKEND_UNKNOWN. */
export async function resolve(endpoint: Endpoint, ask: Lookup = systemLookup): Promise<Addresses> {
  const { host, port } = endpoint
  const literal = ipAddress(host)
  if (literal) return [{ address: literal, port }]
  const texts = await ask(host).catch((error: unknown) => {
    throw new FaultError(fault("BACKEND_UNKNOWN", `${host}: ${String(error)}`), { cause: error })
  })
  const addresses = inTurns(texts.map((text) => ipAddress(text)).filter((address) => address !== undefined))
  const [first, ...more] = addresses.map((address) => ({ address, port }))
  if (!first) throw new FaultError(fault("BACKEND_UNKNOWN", `${host} has no address`))
  return [first, ...more]
}

/** RFC 8305 §4: the families take turns, so that a broken one costs one attempt; the resolver's first stays first. */
export function inTurns(addresses: readonly IpAddress[]): readonly IpAddress[] {
  const [first] = addresses
  if (first === undefined) return []
  const same = addresses.filter((address) => isIpv6(address) === isIpv6(first))
  const other = addresses.filter((address) => isIpv6(address) !== isIpv6(first))
  return same.flatMap((address, index) => [address, ...other.slice(index, index + 1)]).concat(other.slice(same.length))
}
