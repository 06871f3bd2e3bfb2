/** Whether the world can reach this machine: its addresses, public and private. */
import ipaddr from "ipaddr.js"
import { networkInterfaces } from "node:os"
import type { Finding } from "./finding.ts"

export function examineAddresses(addresses: readonly string[] = ownAddresses()): readonly Finding[] {
  return [examineFamily(addresses, "ipv4", "IPv4"), examineFamily(addresses, "ipv6", "IPv6")]
}

function examineFamily(addresses: readonly string[], kind: "ipv4" | "ipv6", what: string): Finding {
  const own = addresses.filter((text) => ipaddr.parse(text).kind() === kind)
  const open = own.filter((text) => ipaddr.parse(text).range() === "unicast")
  const outside = own.filter((text) => !["loopback", "linkLocal"].includes(ipaddr.parse(text).range()))
  if (open.length > 0) return { what, state: "ok", found: `public: ${open.join(", ")}` }
  if (outside.length === 0) return { what, state: "warn", found: "none", remedy: `ask the provider for ${ASK[kind]}` }
  return {
    what,
    state: "warn",
    found: `private only: ${outside.join(", ")}`,
    remedy: "a relay needs a public address, or a router that forwards its ports",
  }
}

const ASK = { ipv4: "an IPv4 address", ipv6: "a /64: it gives every friend an address of their own" } as const

function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((entries) => (entries ?? []).map(({ address }) => address))
}
