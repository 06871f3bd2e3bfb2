/** Where a relay is reached from outside, as far as its configuration knows: the addresses that its listeners name. */
import type { Config, Listener } from "../config/config.ts"
import { patternText } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"
import { endsTlsAtTheBox, type FriendName, type Protocol } from "../route/route.ts"

/** `host` is `undefined` where a listener takes every address. */
export type PublicPlace = { readonly host: IpAddress | undefined; readonly port: number }

/** Where listeners of a protocol accept, each place once. */
export function publicPlaces(config: Pick<Config, "listeners">, protocol: Protocol): readonly PublicPlace[] {
  return distinct(config.listeners.filter((listener) => listener.protocol === protocol).flatMap(placesOf))
}

/** Where visitors find what a dedicated TLS route of a friend carries to the box (docs/tunnel-protocol.md §2). */
export type Entrance = PublicPlace & { readonly service: string; readonly names: readonly string[] }

export function entrancesOf(config: Config, friend: FriendName): readonly Entrance[] {
  const known = config.friends.find(({ name }) => name === friend)
  const names = known?.domains.map(patternText) ?? []
  return (known?.routes ?? []).flatMap((route) => {
    if (!endsTlsAtTheBox(route) || route.to.kind !== "box") return []
    const { service } = route.to
    const listener = config.listeners.find(({ name }) => name === route.listener)
    return listener ? placesOf(listener).map((place) => ({ ...place, service, names })) : []
  })
}

function placesOf({ bind }: Listener): readonly PublicPlace[] {
  return distinct(
    bind
      .filter(({ port }) => port !== 0) // a port of chance is nobody's public one
      .map(({ address, port }) => ({ host: isAny(address) ? undefined : address, port })),
  )
}

function distinct(places: readonly PublicPlace[]): readonly PublicPlace[] {
  return places.filter(
    (place, at) => places.findIndex((same) => same.host === place.host && same.port === place.port) === at,
  )
}

function isAny(address: IpAddress): boolean {
  return address === "0.0.0.0" || address === "::"
}
