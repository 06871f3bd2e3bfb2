import { describe, expect, test } from "@jest/globals"
import type { DnsRecord } from "../../../../src/dns/message.ts"
import type { Resolved } from "../../../../src/dns/resolver.ts"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import { publishedTls, type AskedOf } from "../../../../src/smtp/trust/published-tls.ts"
import type { StsPolicy } from "../../../../src/smtp/trust/sts-policy.ts"
import { checked } from "../../../support/delivery.ts"

const HOST = checked("mx.dave.example")
const ALIAS = checked("mail.hosting.example")
const SHA256 = "a".repeat(64)
const ADDRESS: DnsRecord = { name: HOST, ttlSeconds: 60, type: "A", address: "192.0.2.1" }
const TLSA = { name: "", ttlSeconds: 60, type: "TLSA", usage: 3, selector: 1, matching: 1, dataHex: SHA256 } as const
const DANE = { kind: "dane", records: [expect.objectContaining({ dataHex: SHA256 })] }

describe("a host whose zone is signed", () => {
  test("is proved by its TLSA records", async () => {
    const zone = { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: secure(TLSA) }
    expect(await demanded(zone)).toMatchObject({ ...DANE, names: [HOST] })
  })

  test("is proved by those of its true name where it is an alias, else by its own", async () => {
    const zone = { [HOST]: secure({ ...ADDRESS, name: ALIAS }), [`_25._tcp.${ALIAS}`]: secure(TLSA) }
    expect(await demanded(zone)).toMatchObject({ ...DANE, names: [ALIAS, HOST] })
    const own = { [HOST]: secure({ ...ADDRESS, name: ALIAS }), [`_25._tcp.${HOST}`]: secure(TLSA) }
    expect(await demanded(own)).toMatchObject({ ...DANE, names: [HOST, ALIAS] })
  })

  test("has TLS with anybody, and never none, where no record can be used", async () => {
    const zone = { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: secure({ ...TLSA, usage: 1 }) }
    expect(await demanded(zone)).toEqual({ kind: "encrypted" })
    expect(await demanded(zone, { only: "dane" })).toMatchObject({ kind: "no-demand", code: "HOME_WITHOUT_DANE" })
  })

  test("without records: nothing is demanded, but with dane-only the mail waits", async () => {
    const zone = { [HOST]: secure(ADDRESS) }
    expect(await demanded(zone)).toEqual({ kind: "opportunistic" })
    expect(await demanded(zone, { only: "dane" })).toMatchObject({
      code: "HOME_WITHOUT_DANE",
      because: "mx.dave.example has no TLSA record at port 25",
    })
  })
})

describe("a domain with an MTA-STS policy", () => {
  const policy = (mode: StsPolicy["mode"], name: string): PolicyFor => {
    return async () => ({ mode, mx: [{ name: checked(name), wildcard: false }], maxAgeSeconds: 86_400 })
  }

  test("in mode enforce: its hosts must have a certificate, others get nothing", async () => {
    expect(await demanded({}, {}, policy("enforce", HOST))).toMatchObject({ kind: "certified", by: "mta-sts" })
    expect(await demanded({}, {}, policy("enforce", "mx2.dave.example"))).toMatchObject({
      code: "HOME_TLS_FAILED",
      because: "the MTA-STS policy of dave.example does not name mx.dave.example",
      broken: { mode: "enforce", mx: [{ name: "mx2.dave.example" }] },
    })
  })

  test.each(["testing", "none"] as const)("in mode %s: nothing is demanded", async (mode) => {
    expect(await demanded({}, {}, policy(mode, "mx2.dave.example"))).toEqual({ kind: "opportunistic" })
  })

  test("and DANE: DANE decides (RFC 8461 §2)", async () => {
    const zone = { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: secure(TLSA) }
    expect(await demanded(zone, {}, policy("enforce", "mx2.dave.example"))).toMatchObject(DANE)
  })
})

describe("never a downgrade:", () => {
  test.each([
    ["the address is bogus", { [HOST]: bogus() }],
    ["the records are bogus", { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: bogus() }],
    ["those of the true name are", { [HOST]: secure({ ...ADDRESS, name: ALIAS }), [`_25._tcp.${ALIAS}`]: bogus() }],
  ])("%s, and mail waits", async (_, zone) => {
    expect(await demanded(zone)).toMatchObject({ kind: "no-demand", code: "HOME_TLS_UNKNOWN" })
  })
})

describe("never a stuck queue:", () => {
  test("an unsigned zone is not asked for TLSA at all: its servers may choke on it", async () => {
    const zone = { [HOST]: insecure(ADDRESS), [`_25._tcp.${HOST}`]: bogus() }
    expect(await demanded(zone)).toEqual({ kind: "opportunistic" })
  })

  test("records that nobody validated prove nothing", async () => {
    const zone = { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: insecure(TLSA) }
    expect(await demanded(zone)).toEqual({ kind: "opportunistic" })
  })

  test("with a resolver that does not validate DNS is not asked, and dane-only says why", async () => {
    const off = async () => ({ kind: "off", because: "the resolver does not validate" }) as const
    const published = publishedTls({
      dns: { resolve: () => Promise.reject(new Error("asked")) },
      validation: off,
      policyFor: nobodys,
    })
    expect(await published(asked())).toEqual({ kind: "opportunistic" })
    expect(await published(asked({ only: "dane" }))).toMatchObject({
      because: "DANE is off because the resolver does not validate",
    })
  })

  test("a host that an unsigned MX record named, and an address, have no DANE", async () => {
    const zone = { [HOST]: secure(ADDRESS), [`_25._tcp.${HOST}`]: secure(TLSA) }
    expect(await demanded(zone, { foundSecurely: false })).toEqual({ kind: "opportunistic" })
    expect(await demanded(zone, { host: ipAddress("192.0.2.1") as IpAddress })).toEqual({ kind: "opportunistic" })
  })
})

async function nobodys(): Promise<undefined> {}

type PolicyFor = (domain: string) => Promise<StsPolicy | undefined>

function demanded(
  zone: Readonly<Record<string, Resolved>>,
  about: Partial<AskedOf> = {},
  policyFor: PolicyFor = nobodys,
) {
  const none: Resolved = { kind: "none", secure: true, noSuchName: false }
  const resolve = async (name: string, type: string): Promise<Resolved> => {
    const found = zone[name]
    const fits = found && (found.kind !== "records" || found.records.some((record) => record.type === type))
    return fits ? found : none
  }
  return publishedTls({ dns: { resolve }, validation: async () => ({ kind: "on" }), policyFor })(asked(about))
}

function asked(about: Partial<AskedOf> = {}): AskedOf {
  return { host: HOST, port: 25, domain: checked("dave.example"), foundSecurely: true, only: undefined, ...about }
}

function secure(record: DnsRecord): Resolved {
  return { kind: "records", records: [record], secure: true }
}

function insecure(record: DnsRecord): Resolved {
  return { ...secure(record), secure: false } as Resolved
}

function bogus(): Resolved {
  return { kind: "failed", because: "127.0.0.1 answers with SERVFAIL", rcode: 2 }
}
