/**
 * What the kernel is told, as text for `nft -f`: one table, replaced in one transaction. It leads visitors of an own address
 * to the friend's server (DNAT), in the relay's name (masquerade), so that answers come back this way; and it counts.
 */
import { createHash } from "node:crypto"
import { isIpv6 } from "../../names/ip-address.ts"
import type { SocketAddress } from "../../names/endpoint.ts"

/** One own address and port of a friend's, and the server that its visitors are led to. Both are of one family. */
export type KernelRoute = {
  readonly friend: string
  readonly listener: string
  readonly own: SocketAddress
  readonly to: SocketAddress
}

/** Ours, and this relay's alone: two relays on one machine have two state folders. */
export function tableName(stateFolder: string): string {
  return `waypost_${createHash("sha256").update(stateFolder).digest("hex").slice(0, 12)}`
}

export const COUNTED = ["connections", "to-backend", "to-visitor"] as const
export type CountedBy = (typeof COUNTED)[number]

/** Names of friends and listeners have no dot in them. */
export function counterName({ friend, listener }: Pick<KernelRoute, "friend" | "listener">, what: CountedBy): string {
  return `route.${friend}.${listener}.${what}`
}

/** `fresh`: whatever a relay left behind goes first. Otherwise counters go on from where they are. */
export function rulesetText(table: string, routes: readonly KernelRoute[], fresh: boolean): string {
  const counters = new Set(routes.flatMap((route) => COUNTED.map((what) => counterName(route, what))))
  const lines = [
    `add table inet ${table}`,
    ...(fresh ? [`delete table inet ${table}`, `add table inet ${table}`] : []),
    ...[...counters].map((name) => `add counter inet ${table} ${name}`),
    ...CHAINS.flatMap(([chain, hook]) => [
      `add chain inet ${table} ${chain} { ${hook}; policy accept; }`,
      `flush chain inet ${table} ${chain}`,
    ]),
    ...routes.flatMap((route) => rulesFor(route).map(([chain, rule]) => `add rule inet ${table} ${chain} ${rule}`)),
  ]
  return `${lines.join("\n")}\n`
}

/** Also where there is none. */
export function removalText(table: string): string {
  return `add table inet ${table}\ndelete table inet ${table}\n`
}

type Chain = "arrive" | "start-here" | "pass" | "leave"

/** Each with the hook that it hangs on and its place there (nft(8), "Standard priority names"). */
const CHAINS: readonly (readonly [Chain, string])[] = [
  ["arrive", "type nat hook prerouting priority dstnat"],
  ["start-here", "type nat hook output priority -100"], // visitors on the relay's own machine
  ["pass", "type filter hook postrouting priority filter"],
  ["leave", "type nat hook postrouting priority srcnat"],
]

/** The first packet of a connection goes through the chains of type nat; what they decide holds for all that follow. */
function rulesFor(route: KernelRoute): readonly (readonly [Chain, string])[] {
  const { own, to } = route
  const family = isIpv6(own.address) ? "ip6" : "ip"
  // Only what begins: a connection that the relay itself carries when the rules come must not be led away in its middle.
  const begins = "tcp flags & (fin | syn | rst | ack) == syn"
  const meant = `${family} daddr ${own.address} tcp dport ${own.port} ${begins}`
  const asked = `meta l4proto tcp ct original ${family} daddr ${own.address} ct original proto-dst ${own.port}`
  const target = isIpv6(to.address) ? `[${to.address}]:${to.port}` : `${to.address}:${to.port}`
  const counted = (what: CountedBy): string => `counter name ${counterName(route, what)}`
  const lead = `${meant} ${counted("connections")} dnat ${family} to ${target}`
  return [
    ["arrive", lead],
    ["start-here", lead],
    ["pass", `${asked} ct direction original ${counted("to-backend")}`],
    ["pass", `${asked} ct direction reply ${counted("to-visitor")}`],
    ["leave", `${asked} ct status dnat masquerade`],
  ]
}
