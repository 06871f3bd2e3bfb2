/** Whether an address is on a DNS block list (RFC 5782). Whatever goes wrong, it is not: a list that is away stops no mail. */
import type { Hostname } from "../names/hostname.ts"
import { cidr, contains, ipAddress, ipAddressBytes, isIpv6, type IpAddress } from "../names/ip-address.ts"
import type { Resolver } from "./resolver.ts"

/** RFC 5782 §2.1: what says "listed" is in 127.0.0.0/8. Spamhaus and others say there that they were asked wrongly. */
const LISTED = cidr("127.0.0.0/8")
const ASKED_WRONGLY = cidr("127.255.255.0/24")

export async function isListed(resolver: Resolver, address: IpAddress, zone: Hostname): Promise<boolean> {
  const resolved = await resolver.resolve(`${reversed(address)}.${zone}`, "A")
  if (resolved.kind !== "records") return false
  return resolved.records.some((record) => record.type === "A" && saysListed(record.address))
}

function saysListed(text: string): boolean {
  const answer = ipAddress(text)
  if (!answer || !LISTED || !ASKED_WRONGLY) return false
  return contains(LISTED, answer) && !contains(ASKED_WRONGLY, answer)
}

/** RFC 5782 §2.1 and §2.4: octets, or nibbles, from the last to the first. */
export function reversed(address: IpAddress): string {
  const bytes = [...ipAddressBytes(address)]
  const parts = isIpv6(address)
    ? bytes.flatMap((byte) => [byte >> 4, byte & 15]).map((nibble) => nibble.toString(16))
    : bytes.map(String)
  return parts.toReversed().join(".")
}
