import { expect, test } from "@jest/globals"
import { nameBehind, reverseName } from "../../../src/dns/reverse.ts"
import type { DnsRecord } from "../../../src/dns/message.ts"
import type { Resolved } from "../../../src/dns/resolver.ts"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"

test.each([
  ["192.0.2.1", "1.2.0.192.in-addr.arpa"],
  ["2001:db8::567:89ab", "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"],
  ["::1", `1.${"0.".repeat(31)}ip6.arpa`],
  ["2001:db8::", `${"0.".repeat(24)}8.b.d.0.1.0.0.2.ip6.arpa`],
  ["1:2:3:4:5:6:7:8", "8.0.0.0.7.0.0.0.6.0.0.0.5.0.0.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.ip6.arpa"],
])("%s is looked up as %s (RFC 1035 §3.5, RFC 3596 §2.5)", (address, name) => {
  expect(reverseName(at(address))).toBe(name)
})

test.each([
  [
    "a name that leads back",
    { A: ["192.0.2.1"], PTR: ["mx.sender.example"] },
    { kind: "name", name: "mx.sender.example" },
  ],
  [
    "the one of several that leads back",
    { A: ["192.0.2.1"], PTR: ["not a name", "mx.sender.example"] },
    { kind: "name" },
  ],
  ["a name that leads elsewhere", { A: ["192.0.2.2"], PTR: ["mx.sender.example"] }, { kind: "none" }],
  ["no name", { A: [], PTR: [] }, { kind: "none" }],
  ["a resolver that fails", { A: [], PTR: undefined }, { kind: "unknown" }],
  ["a resolver that fails later", { A: undefined, PTR: ["mx.sender.example"] }, { kind: "unknown" }],
])("%s", async (_, { A, PTR }, expected) => {
  const resolve = async (__: string, type: string): Promise<Resolved> => {
    const found = type === "PTR" ? PTR : A
    if (!found) return { kind: "failed", because: "SERVFAIL" }
    const records = found.map((value): DnsRecord => {
      const record = { name: "", ttlSeconds: 60 }
      return type === "PTR" ? { ...record, type: "PTR", target: value } : { ...record, type: "A", address: value }
    })
    return records.length > 0
      ? { kind: "records", records, secure: false }
      : { kind: "none", secure: false, noSuchName: true }
  }
  expect(await nameBehind(at("192.0.2.1"), { resolve })).toMatchObject(expected)
})

function at(text: string): IpAddress {
  return ipAddress(text) as IpAddress
}
