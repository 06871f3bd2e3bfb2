/** The name behind an address, believed only if it leads back to it (RFC 8499 "forward confirmed"). */
import { hostname, type Hostname } from "../names/hostname.ts"
import { ipAddress, isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { Resolver } from "./resolver.ts"

export type NameBehind =
  { readonly kind: "name"; readonly name: Hostname } | { readonly kind: "none" } | { readonly kind: "unknown" }

/** Ours, as Postfix: of several names the first that leads back, and no more than these are looked at. */
const NAMES_MAX = 3

export async function nameBehind(address: IpAddress, dns: Pick<Resolver, "resolve">): Promise<NameBehind> {
  const reverse = await dns.resolve(reverseName(address), "PTR")
  if (reverse.kind === "failed") return { kind: "unknown" }
  const targets =
    reverse.kind === "records" ? reverse.records.flatMap((one) => ("target" in one ? [one.target] : [])) : []
  for (const target of targets.slice(0, NAMES_MAX)) {
    const name = hostname(target)
    const forward = name && (await dns.resolve(name, isIpv6(address) ? "AAAA" : "A"))
    if (forward?.kind === "failed") return { kind: "unknown" }
    const leadsBack = forward?.kind === "records" && forward.records.some((one) => isAt(one, address))
    if (name && leadsBack) return { kind: "name", name }
  }
  return { kind: "none" }
}

function isAt(record: object, address: IpAddress): boolean {
  return "address" in record && typeof record.address === "string" && ipAddress(record.address) === address
}

/** RFC 1035 §3.5, RFC 3596 §2.5. */
export function reverseName(address: IpAddress): string {
  if (!isIpv6(address)) return `${address.split(".").toReversed().join(".")}.in-addr.arpa`
  const [head = "", tail = ""] = address.split("::").map((part) =>
    part
      .split(":")
      .filter((group) => group !== "")
      .map(fourDigits)
      .join(""),
  )
  const digits = address.includes("::") ? head + tail.padStart(32 - head.length, "0") : head
  return `${digits.split("").toReversed().join(".")}.ip6.arpa`
}

function fourDigits(group: string): string {
  return group.padStart(4, "0")
}
