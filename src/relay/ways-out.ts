/**
 * Where a friend's outgoing mail may go, and from which address: to public addresses of others alone. Whatever else a relay
 * can reach (itself, its network, its provider's) is none of its friends' business. Pure.
 */
import type { SocketAddress } from "../names/endpoint.ts"
import { isGlobal, isIpv6, type IpAddress } from "../names/ip-address.ts"

export type Way = { readonly to: SocketAddress; readonly from: IpAddress }

export type WaysOut =
  | { readonly kind: "ways"; readonly ways: readonly [Way, ...Way[]] }
  | { readonly kind: "refused"; readonly code: "OUTGOING_PLACE" | "OUTGOING_FAMILY" }

/** Ours: addresses of one name that are tried, so that each has time to answer. */
export const WAYS_MAX = 4

/** `own`: the friend's own addresses, the first of a family is used; `ours`: all that lead back to this relay. */
export function waysOut(
  to: readonly SocketAddress[],
  own: readonly IpAddress[],
  ours: ReadonlySet<IpAddress>,
): WaysOut {
  const allowed = to.filter(({ address }) => isGlobal(address) && !ours.has(address))
  if (allowed.length === 0) return { kind: "refused", code: "OUTGOING_PLACE" }
  const ways = allowed.flatMap((place) => {
    const from = own.find((address) => isIpv6(address) === isIpv6(place.address))
    return from === undefined ? [] : [{ to: place, from }]
  })
  const [first, ...more] = ways.slice(0, WAYS_MAX)
  return first ? { kind: "ways", ways: [first, ...more] } : { kind: "refused", code: "OUTGOING_FAMILY" }
}
