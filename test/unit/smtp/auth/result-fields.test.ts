import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import type { IpAddress } from "../../../../src/names/ip-address.ts"
import { notFound, type Findings, type HandedIn } from "../../../../src/smtp/auth/findings.ts"
import { resultFields } from "../../../../src/smtp/auth/result-fields.ts"

const RELAY = hostname("relay.bob.example") as Hostname
const CAROL: HandedIn = {
  address: "192.0.2.7" as IpAddress,
  helo: "mx.sender.example",
  from: "carol@sender.example",
}
const GOOD: Findings = {
  spf: "pass",
  dkim: [
    {
      result: "pass",
      why: undefined,
      domain: "sender.example",
      selector: "s1",
      algorithm: "rsa-sha256",
      value: "abcdefgh12345",
    },
  ],
  dmarc: { result: "pass", why: undefined, from: "sender.example", policy: undefined },
}

/** As a reader sees it: folding undone. */
function fields(findings: Findings, by: Partial<HandedIn> = {}): readonly string[] {
  const text = resultFields(RELAY, findings, { ...CAROL, ...by })
  return text
    .replace(/\r\n[ \t]+/g, " ")
    .trimEnd()
    .split("\r\n")
}

describe("findings as header fields", () => {
  test("mail that is who it says it is", () => {
    expect(fields(GOOD)).toEqual([
      "Authentication-Results: relay.bob.example; spf=pass smtp.mailfrom=sender.example smtp.helo=mx.sender.example; dkim=pass header.d=sender.example header.s=s1 header.a=rsa-sha256 header.b=abcdefgh; dmarc=pass header.from=sender.example",
      'Received-SPF: pass receiver=relay.bob.example; client-ip=192.0.2.7; envelope-from="carol@sender.example"; helo=mx.sender.example; identity=mailfrom',
    ])
  })

  test("forged mail, with the reason and what the domain asks for", () => {
    const [signature] = GOOD.dkim
    const forged: Findings = {
      spf: "fail",
      dkim: signature ? [{ ...signature, result: "fail", why: "body hash did not verify" }] : [],
      dmarc: { result: "fail", why: undefined, from: "sender.example", policy: "reject" },
    }
    const [results] = fields(forged)
    expect(results).toContain("; spf=fail smtp.mailfrom")
    expect(results).toContain('; dkim=fail reason="body hash did not verify" header.d=sender.example')
    expect(results).toMatch(/; dmarc=fail header\.from=sender\.example policy\.dmarc=reject$/)
  })

  test("a notice has no sender, and its HELO name is judged", () => {
    const [results, spf] = fields({ ...GOOD, dkim: [] }, { from: "" })
    expect(results).toContain("; spf=pass smtp.helo=mx.sender.example; dkim=none; dmarc")
    expect(spf).not.toContain("envelope-from")
    expect(spf).toMatch(/; identity=helo$/)
  })

  test("what could not be found out is said so", () => {
    const [results] = fields(notFound("no answer"))
    expect(results).toContain("spf=temperror smtp.mailfrom=sender.example")
    expect(results).toContain('dkim=temperror reason="no answer"; dmarc=temperror reason="no answer"')
  })

  test("addresses and names that are no plain words stand in quotes, in ASCII", () => {
    const [results, spf] = fields(GOOD, { address: "2001:db8::7" as IpAddress, helo: "[IPv6:2001:db8::7]" })
    expect(results).toContain('smtp.helo="[IPv6:2001:db8::7]"')
    expect(spf).toContain('client-ip="2001:db8::7"')
    expect(fields(GOOD, { from: "x@jõgeva.ee" })[0]).toContain("smtp.mailfrom=xn--jgeva-dua.ee")
    expect(fields(GOOD, { from: "x@jõgeva.ee" })[1]).toContain('envelope-from="x@jõgeva.ee"')
  })

  test("nothing that a sender chooses can end a field or begin another", () => {
    const nasty = fc.string({ unit: fc.constantFrom(...Array.from('a\r\n\t ";\\=(\0é')), maxLength: 400 })
    fc.assert(
      fc.property(nasty, nasty, nasty, (helo, from, chosen) => {
        const dkim = [
          { result: "fail", why: chosen, domain: chosen, selector: chosen, algorithm: chosen, value: chosen } as const,
        ]
        const dmarc = { result: "fail", why: chosen, from: chosen, policy: undefined } as const
        const read = fields({ spf: "fail", dkim, dmarc }, { helo, from })
        expect(read).toHaveLength(2)
        const outside = (read[0] ?? "").replace(/"(?:[^"\\]|\\.)*"/g, "")
        expect(outside.split(";")).toHaveLength(4)
        expect(outside).not.toContain('"')
        const lines = resultFields(RELAY, { spf: "fail", dkim, dmarc }, { ...CAROL, helo, from }).split("\r\n")
        expect(lines.every((line) => Buffer.byteLength(line) < 998)).toBe(true)
      }),
    )
  })
})
