import { expect, test } from "@jest/globals"
import { isListed, reversed } from "../../../src/dns/block-list.ts"
import type { Resolved, Resolver } from "../../../src/dns/resolver.ts"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"

const ZONE = hostname("list.example") as Hostname
const CAROL = ipAddress("192.0.2.99") as IpAddress

// RFC 5782 §2.1 and §2.4 have these two.
test.each([
  ["192.0.2.99", "99.2.0.192"],
  ["2001:db8:1:2:3:4:567:89ab", "b.a.9.8.7.6.5.0.4.0.0.0.3.0.0.0.2.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2"],
])("%s is asked for as %s", (address, name) => {
  expect(reversed(ipAddress(address) as IpAddress)).toBe(name)
})

test.each([
  [["127.0.0.2"], true],
  [["127.0.0.10", "127.0.0.4"], true],
  [["127.255.255.254"], false], // asked through a resolver that the list does not serve
  [["192.0.2.1"], false], // a list that is gone, whose domain somebody parks
])("an answer of %j means listed: %j", async (addresses, listed) => {
  const records = addresses.map((address) => ({ name: "x", ttlSeconds: 60, type: "A", address }) as const)
  const asked: string[] = []
  const resolver = answering({ kind: "records", records, secure: false }, asked)
  expect(await isListed(resolver, CAROL, ZONE)).toBe(listed)
  expect(asked).toEqual(["99.2.0.192.list.example A"])
})

test.each<Resolved>([
  { kind: "none", secure: false, noSuchName: true },
  { kind: "failed", because: "silence" },
])("$kind means not listed", async (resolved) => {
  expect(await isListed(answering(resolved, []), CAROL, ZONE)).toBe(false)
})

function answering(resolved: Resolved, asked: string[]): Resolver {
  return {
    servers: [],
    disbelieved: false,
    resolve: (name, type) => {
      asked.push(`${name} ${type}`)
      return Promise.resolve(resolved)
    },
  }
}
