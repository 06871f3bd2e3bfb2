import { createHash, X509Certificate } from "node:crypto"
import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { daneMismatch, usable, type Tlsa } from "../../../../src/smtp/trust/dane.ts"
import { der, issue, type About, type Issued } from "../../../support/certificate-chain.ts"
import { checked } from "../../../support/delivery.ts"

const NOW = Date.parse("2026-11-21")
const NAMES = [checked("mx.dave.example")]

describe("which records count", () => {
  test("3 1 1, 3 0 1, 2 1 1, 2 0 2 and their like; nothing of usage 0 or 1, nothing that nobody defined", () => {
    const [sha256, sha512] = ["a".repeat(64), "b".repeat(128)]
    const good = [
      tlsa(3, 1, 1, sha256),
      tlsa(3, 0, 1, sha256),
      tlsa(2, 1, 1, sha256),
      tlsa(2, 0, 2, sha512),
      tlsa(3, 1, 0, "00"),
    ]
    const bad = [
      tlsa(0, 1, 1, sha256),
      tlsa(1, 1, 1, sha256),
      tlsa(4, 1, 1, sha256),
      tlsa(3, 2, 1, sha256),
      tlsa(3, 1, 3, sha256),
      tlsa(3, 1, 1, sha512),
      tlsa(3, 1, 2, sha256),
    ]
    expect(usable([...bad, ...good])).toEqual(good)
  })

  test("beside a SHA-512 digest the SHA-256 one is not looked at (RFC 7671 §9)", () => {
    const strong = tlsa(3, 1, 2, "b".repeat(128))
    const other = tlsa(3, 0, 1, "a".repeat(64))
    expect(usable([tlsa(3, 1, 1, "a".repeat(64)), strong, other])).toEqual([strong, other])
  })
})

describe("DANE-EE", () => {
  test.each([
    [0, 0],
    [0, 1],
    [0, 2],
    [1, 0],
    [1, 1],
    [1, 2],
  ])(
    "selector %i, matching %i: the key or the certificate, whatever name or date it has",
    async (selector, matching) => {
      const leaf = await issue({ subject: "other.example", names: ["other.example"], notAfter: new Date("2026-02-01") })
      const stranger = await issue({ subject: "other.example", names: ["other.example"] })
      const records = [recordFor(leaf, 3, selector, matching)]
      expect(daneMismatch({ records, names: NAMES }, shown(leaf), NOW)).toBeUndefined()
      expect(daneMismatch({ records, names: NAMES }, shown(stranger), NOW)).toContain("no TLSA record matches")
    },
  )

  test("one right record among wrong ones is enough: a key is being changed", async () => {
    const leaf = await issue({ subject: "mx.dave.example" })
    const records = [tlsa(3, 1, 1, "0".repeat(64)), recordFor(leaf, 3, 1, 1)]
    expect(daneMismatch({ records, names: NAMES }, shown(leaf), NOW)).toBeUndefined()
  })
})

describe("DANE-TA", () => {
  test.each([
    ["the authority that signed", {}, undefined],
    ["a name that is not asked for", { names: ["mx.eve.example"] }, "not for mx.dave.example"],
    ["a certificate that has ended", { notAfter: new Date("2026-02-01") }, "leads to no trust anchor"],
    ["a certificate for something else", { purposes: ["1.3.6.1.5.5.7.3.4"] }, "not for servers"],
    ["a certificate for servers", { purposes: ["1.3.6.1.5.5.7.3.1"] }, undefined],
  ] satisfies [string, Partial<About>, string | undefined][])("%s", async (_, different, wrong) => {
    const root = await issue({ subject: "Dave's root", ca: true })
    const middle = await issue({ subject: "Dave's middle", issuer: root, ca: true })
    const leaf = await issue({ subject: "mx", issuer: middle, names: ["mx.dave.example"], ...different })
    for (const anchor of [root, middle]) {
      const records = [recordFor(anchor, 2, 1, 1)]
      const found = daneMismatch({ records, names: NAMES }, shown(leaf, middle, root), NOW)
      if (wrong === undefined) expect(found).toBeUndefined()
      else expect(found).toContain(wrong)
    }
  })

  test("who sends the anchor along without being signed by it proves nothing", async () => {
    const root = await issue({ subject: "Dave's root", ca: true })
    const forged = await issue({ subject: "Dave's root", ca: true })
    const leaf = await issue({ subject: "mx", issuer: forged, names: ["mx.dave.example"] })
    const records = [recordFor(root, 2, 0, 1)]
    expect(daneMismatch({ records, names: NAMES }, shown(leaf, root), NOW)).toContain("leads to no trust anchor")
    expect(daneMismatch({ records, names: NAMES }, shown(leaf, forged, root), NOW)).toContain(
      "leads to no trust anchor",
    )
  })

  test("a certificate that is no authority's cannot vouch for another", async () => {
    const root = await issue({ subject: "Dave's root", ca: true })
    const server = await issue({ subject: "www", issuer: root, names: ["www.dave.example"] })
    const leaf = await issue({ subject: "mx", issuer: server, names: ["mx.dave.example"] })
    const records = [recordFor(root, 2, 1, 1)]
    expect(daneMismatch({ records, names: NAMES }, shown(leaf, server, root), NOW)).toContain(
      "leads to no trust anchor",
    )
  })
})

test("never throws, whatever is shown and published", async () => {
  const leaf = der(await issue({ subject: "mx.dave.example" }))
  const bytes = fc.uint8Array({ maxLength: 64 })
  fc.assert(
    fc.property(fc.array(bytes), fc.nat(3), fc.nat(2), fc.nat(2), (chain, usage, selector, matching) => {
      const records = [tlsa(usage, selector, matching, "00")]
      expect(daneMismatch({ records, names: NAMES }, { leaf: chain[0] ?? leaf, chain }, NOW)).toEqual(
        expect.any(String),
      )
    }),
  )
})

function tlsa(usage: number, selector: number, matching: number, dataHex: string): Tlsa {
  return { usage, selector, matching, dataHex }
}

function recordFor(issued: Issued, usage: number, selector: number, matching: number): Tlsa {
  const certificate = new X509Certificate(der(issued))
  const bytes = selector === 0 ? certificate.raw : certificate.publicKey.export({ type: "spki", format: "der" })
  const digest = (name: string): string => createHash(name).update(bytes).digest("hex")
  const dataHex = [bytes.toString("hex"), digest("sha256"), digest("sha512")][matching] ?? ""
  return tlsa(usage, selector, matching, dataHex)
}

function shown(leaf: Issued, ...chain: readonly Issued[]) {
  return { leaf: der(leaf), chain: chain.map(der) }
}
