/**
 * What makes mail from a friend's own addresses believable: a name that leads to each address and back (RFC 5321 §4.1.4,
 * RFC 1912 §2.1), which the friend's server also gives in EHLO, and SPF (RFC 7208). Values only.
 */
import type { Config } from "../config/config.ts"
import { reverseName } from "../dns/reverse.ts"
import { hostname, type Hostname } from "../names/hostname.ts"
import { isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { Friend, FriendName } from "../route/route.ts"
import { mailHosts, type ZoneRecord } from "./mail-records.ts"

export type SenderRecords = {
  readonly friend: FriendName
  readonly addresses: readonly IpAddress[]
  /** The name for EHLO, for the addresses, and for what they lead back to. */
  readonly ehlo: Hostname
  readonly records: readonly ZoneRecord[]
  /** Records in zones of whoever has given out the addresses: the operator asks for them. */
  readonly askedFor: readonly { readonly name: string; readonly type: "PTR"; readonly data: string }[]
  readonly notes: readonly string[]
}

/** One for each friend whose box may send, and who has a domain to send from. */
export function senderRecords({ friends }: Pick<Config, "friends">): readonly SenderRecords[] {
  return friends.filter(({ outgoingMail }) => outgoingMail !== undefined).flatMap((friend) => recordsFor(friend) ?? [])
}

function recordsFor(friend: Friend): SenderRecords | undefined {
  const { name, addresses, domains } = friend
  const places = mailHosts(domains.filter(({ wildcard }) => !wildcard).map((pattern) => pattern.name))
  const ehlo = ehloName(friend, places)
  if (!ehlo) return undefined
  const policy = `"v=spf1 ${addresses.map((address) => `${isIpv6(address) ? "ip6" : "ip4"}:${address}`).join(" ")} -all"`
  const senders = [...new Set([...places.map(({ domain }) => domain), ehlo])]
  return {
    friend: name,
    addresses,
    ehlo,
    records: [
      ...addresses.map((address) => ({ name: ehlo, type: isIpv6(address) ? "AAAA" : "A", data: address }) as const),
      ...senders.map((sender) => ({ name: sender, type: "TXT", data: policy }) as const),
    ],
    askedFor: addresses.map((address) => ({ name: reverseName(address), type: "PTR", data: `${ehlo}.` })),
    notes: NOTES,
  }
}

/** The mail host's name where visitors find it at these addresses too; else one of its own, or they would be led astray. */
function ehloName({ routes }: Friend, [place]: ReturnType<typeof mailHosts>): Hostname | undefined {
  const arrivesThere = routes.some(
    ({ protocol, matches }) => protocol === "smtp" && matches.some(({ by }) => by === "address"),
  )
  return place && (arrivesThere ? place.host : hostname(`out.${place.domain}`))
}

const NOTES: readonly string[] = [
  "SPF names every place that mail of the domain comes from: add those of other relays and providers to this one record.",
  "Sign with DKIM, the key at home. Whoever runs the relay can send from these addresses too, and SPF does not tell the two apart (WP110).",
]
