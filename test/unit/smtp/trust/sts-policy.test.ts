import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readStsPolicy, stsAllows, stsId } from "../../../../src/smtp/trust/sts-policy.ts"

const POLICY = "version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"

describe("the record (RFC 8461 §3.1)", () => {
  test.each([
    [["v=STSv1; id=20160831085700Z;"], "20160831085700Z"],
    [["something else", "v=STSv1;id=1"], "1"],
    [["v=STSv1; x=y; id=a1 ;"], "a1"],
    [["v=STSv1; id=1", "v=STSv1; id=2"], undefined],
    [["v=STSv10; id=1"], undefined],
    [["v=STSv1; id=not-allowed"], undefined],
    [[`v=STSv1; id=${"a".repeat(33)}`], undefined],
    [["id=1; v=STSv1"], undefined],
    [[], undefined],
  ])("%j has the id %j", (texts, id) => {
    expect(stsId(texts)).toBe(id)
  })
})

describe("the policy (RFC 8461 §3.2)", () => {
  test("of the standard's example", () => {
    expect(readStsPolicy(POLICY)).toMatchObject({ mode: "enforce", maxAgeSeconds: 604_800 })
  })

  test.each(["mail.example.com", "MAIL.example.com.", "mx.example.net"])("names %s", (host) => {
    expect(allowed(host)).toBe(true)
  })

  test.each(["example.com", "example.net", "a.b.example.net", "mail.example.com.evil", "192.0.2.1"])(
    "does not name %s: a wildcard is one label",
    (host) => {
      expect(allowed(host)).toBe(false)
    },
  )

  test.each([
    ["another version", POLICY.replace("STSv1", "STSv2")],
    ["no mode", POLICY.replace("mode: enforce", "")],
    ["a mode that is none", POLICY.replace("enforce", "strict")],
    ["no max_age", POLICY.replace("max_age: 604800", "")],
    ["a max_age that is no number", POLICY.replace("604800", "1e9")],
    ["a host that is none", POLICY.replace("mail.example.com", "mail example")],
    ["no host", POLICY.replaceAll(/mx: .*\r\n/g, "")],
    ["a web page", "<html>\nversion: STSv1\n"],
  ])("with %s is none", (_, text) => {
    expect(readStsPolicy(text)).toBeUndefined()
  })

  test("the first of a field that comes twice counts, a year is the most, and mode none needs no host", () => {
    const text = "version: STSv1\nmode: none\nmode: enforce\nmax_age: 4000000000\n"
    expect(readStsPolicy(text)).toEqual({ mode: "none", mx: [], maxAgeSeconds: 31_557_600 })
  })

  test("never throws", () => {
    fc.assert(fc.property(fc.string(), (text) => void readStsPolicy(`version: STSv1\nmode: enforce\n${text}`)))
    fc.assert(fc.property(fc.array(fc.string()), (texts) => void stsId(texts.map((text) => `v=STSv1;${text}`))))
  })
})

function allowed(host: string): boolean {
  const policy = readStsPolicy(POLICY)
  return policy !== undefined && stsAllows(policy, host)
}
