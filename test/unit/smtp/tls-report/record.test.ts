import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { REPORT_ADDRESSES_MAX, reportAddresses } from "../../../../src/smtp/tls-report/record.ts"

describe("who wants reports on TLS", () => {
  test.each([
    ["v=TLSRPTv1;rua=mailto:reports@example.com", ["reports@example.com"]], // RFC 8460 §3.1.1
    ["v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", []], // §3.1.2
    [
      "v=TLSRPTv1; rua=https://r.example/x,mailto:a@one.example , MAILTO:b@two.example;",
      ["a@one.example", "b@two.example"],
    ],
    ["v=TLSRPTv1 \t; more=x ; rua=mailto:tls%2Brpt@Example.COM?subject=x", ["tls+rpt@example.com"]],
    ["v=TLSRPTv1; rua=mailto:a@one.example,mailto:a@one.example", ["a@one.example"]],
    ["v=TLSRPTv1; rua=mailto:a%0d%0aRCPT@one.example,mailto:%ff@one.example,mailto:a%2@one.example", []],
    ["v=TLSRPTv1", []],
    ["v=TLSRPTv12; rua=mailto:a@one.example", []],
    ["V=tlsrptv1; rua=mailto:a@one.example", []],
  ])("%s", (text, addresses) => {
    expect(reportAddresses([text])).toEqual(addresses)
  })

  test("is nobody where two records say so (RFC 8460 §3)", () => {
    const one = "v=TLSRPTv1; rua=mailto:a@one.example"
    expect(reportAddresses(["v=spf1 -all", one])).toEqual(["a@one.example"])
    expect(reportAddresses([one, one])).toEqual([])
  })

  test("is no crowd", () => {
    const crowd = Array.from({ length: 50 }, (_, at) => `mailto:a${at}@one.example`).join(",")
    expect(reportAddresses([`v=TLSRPTv1; rua=${crowd}`])).toHaveLength(REPORT_ADDRESSES_MAX)
  })

  test("never throws", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.string({ unit: "binary" }).map((rest) => `v=TLSRPTv1;rua=mailto:${rest}`),
    )
    fc.assert(fc.property(fc.array(text), (texts) => Array.isArray(reportAddresses(texts))))
  })
})
