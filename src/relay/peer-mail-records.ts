/**
 * What is published where the relay itself is the host that a friend's MX record names (peer mail): MX, and TLSA of the
 * relay's own key (RFC 7672). No MTA-STS: no authority vouches for the certificate that the relay makes itself.
 */
import type { Config } from "../config/config.ts"
import type { Hostname } from "../names/hostname.ts"
import type { FriendName } from "../route/route.ts"
import { hostRecords, isMailExchange, reportsRecord, topmost, type Found, type Published } from "./mail-records.ts"

export type PeerPlace = { readonly friend: FriendName; readonly domain: Hostname }

/** Every domain whose mail the relay takes. */
export function peerPlaces(config: Config): readonly PeerPlace[] {
  return config.friends
    .filter(({ routes }) => routes.some((route) => isMailExchange(route, "peer", config)))
    .flatMap(({ name: friend, domains }) => {
      const names = domains.filter(({ wildcard }) => !wildcard).map(({ name }) => name)
      return topmost(names).map((domain) => ({ friend, domain }))
    })
}

export function peerPublished({ friend, domain }: PeerPlace, relay: Hostname, found: Found): Published {
  return {
    friend,
    domain,
    host: relay,
    records: [{ name: domain, type: "MX", data: `10 ${relay}.` }, ...hostRecords(relay, found), reportsRecord(domain)],
    policy: undefined,
    notes: notes(domain, relay, found),
    byHand: [],
  }
}

function notes(domain: Hostname, relay: Hostname, { addresses, shown }: Found): readonly string[] {
  return [
    `What is below ${relay} goes into the zone of the relay's operator.`,
    ...(addresses.length === 0
      ? [`${relay} needs A and AAAA records with its addresses, which are not known here.`]
      : []),
    ...(shown.kind === "not-seen"
      ? [`The relay's key could not be looked at (${shown.why}): no TLSA record yet.`]
      : []),
    `TLSA counts only if the zones of ${domain} and of ${relay} are both signed (DNSSEC).`,
  ]
}
