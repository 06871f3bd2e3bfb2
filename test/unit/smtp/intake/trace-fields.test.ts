import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import { RESULTS_HEAD_BYTES_MAX, TraceFields } from "../../../../src/smtp/intake/trace-fields.ts"

const RELAY = hostname("relay.bob.example") as Hostname

function read(...pieces: readonly (string | Uint8Array)[]): { readonly text: string; readonly hops: number } {
  const fields = new TraceFields(RELAY)
  const passed = [
    ...pieces.map((piece) => fields.read(typeof piece === "string" ? Buffer.from(piece) : piece)),
    fields.finish(),
  ]
  return { text: Buffer.concat(passed).toString(), hops: fields.hops }
}

/** Whole, and byte by byte. */
function bothWays(text: string): ReturnType<typeof read> {
  const whole = read(text)
  expect(read(...Array.from(Buffer.from(text), (byte) => Uint8Array.of(byte)))).toEqual(whole)
  return whole
}

describe("hops are counted", () => {
  test.each([
    ["none", "Subject: x\r\n\r\n", 0],
    ["two, in any case", "Received: a\r\nRECEIVED: b\r\n\r\n", 2],
    ["not in the middle of a line", "X: Received: a\r\n\r\n", 0],
    ["not in a folded line", "X: a\r\n Received: b\r\n\r\n", 0],
    ["not what only begins like it", "Received-SPF: a\r\nReceive: b\r\n\r\n", 0],
    ["not in the body", "Received: a\r\n\r\nReceived: b\r\n", 1],
    ["not in a body without a header", "\r\nReceived: b\r\n", 0],
    ["without a line end", "Received: a", 1],
  ])("%s", (_name, text, count) => {
    expect(bothWays(text)).toEqual({ text, hops: count })
  })
})

const FROM = "From: carol@sender.example\r\n"
const REST = "Subject: x\r\n\r\nAuthentication-Results: relay.bob.example; spf=pass\r\n"

describe("results in our own name are a forgery, and left out", () => {
  test.each([
    ["as we write them", "Authentication-Results: relay.bob.example; dmarc=pass\r\n"],
    ["in any case", "AUTHENTICATION-results: RELAY.bob.example; dmarc=pass\r\n"],
    ["with a dot behind it", "Authentication-Results: relay.bob.example.; dmarc=pass\r\n"],
    ["folded", "Authentication-Results:\r\n\trelay.bob.example;\r\n\tspf=pass;\r\n dkim=pass\r\n"],
    ["with space before the colon", "Authentication-Results \t: relay.bob.example; dmarc=pass\r\n"],
    ["in quotes", 'Authentication-Results: "relay.bob.example"; dmarc=pass\r\n'],
    ["behind a comment", "Authentication-Results: (honest)\r\n (really) relay.bob.example; dmarc=pass\r\n"],
    ["that never say whose they are", "Authentication-Results: (relay.bob.example; dmarc=pass\r\n"],
    ["with quotes that do not end", 'Authentication-Results: "relay.bob.example; dmarc=pass\r\n'],
    ["with no name that can be read", "Authentication-Results: ;dmarc=pass\r\n"],
    ["twice", "Authentication-Results: relay.bob.example;\r\nAuthentication-Results: relay.bob.example; a\r\n"],
  ])("%s", (_name, forged) => {
    expect(bothWays(`${FROM}${forged}${REST}`).text).toBe(`${FROM}${REST}`)
    expect(bothWays(`${forged}${FROM}${REST}`).text).toBe(`${FROM}${REST}`)
  })

  test("at the very end", () => {
    expect(bothWays(`${FROM}Authentication-Results: relay.bob.example; dmarc=pass`).text).toBe(FROM)
  })

  test("that make us wait for too long", () => {
    const endless = `Authentication-Results: ${"\r\n ".repeat(RESULTS_HEAD_BYTES_MAX)}\r\n someone.example; a\r\n`
    expect(read(`${FROM}${endless}${REST}`).text).toBe(`${FROM}${REST}`)
  })
})

describe("what others say goes on byte for byte", () => {
  test.each([
    ["other results", "Authentication-Results: mx.other.example;\r\n\tspf=pass (relay.bob.example)\r\n"],
    ["results of a name below ours", "Authentication-Results: x.relay.bob.example; spf=pass\r\n"],
    ["results that begin with a comment", "Authentication-Results: (a)\r\n (b)\r\n mx.other.example; none\r\n"],
    ["results without a name", "Authentication-Results: spf=pass smtp.mailfrom=x.example\r\n"],
    ["sealed results of an earlier host", "ARC-Authentication-Results: i=1; relay.bob.example; spf=pass\r\n"],
    ["another field that names us", "X: Authentication-Results: relay.bob.example\r\n Authentication-Results: b\r\n"],
    ["lines that are no fields", "hello\r\nAuthentication-Results\r\n"],
    ["bytes that are no text", "X: \u00ff\u0100\u{1f600}\r\n"],
  ])("%s", (_name, fields) => {
    const text = `${FROM}${fields}${REST}`
    expect(bothWays(text).text).toBe(text)
  })

  test("however it is cut, and whatever it is, nothing is added and nothing else is lost", () => {
    const line = fc.constantFrom(
      "Authentication-Results: relay.bob.example;",
      "Authentication-Results:",
      " x",
      "A: b",
      "",
    )
    const cut = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 })
    fc.assert(
      fc.property(fc.array(line), cut, (lines, cuts) => {
        const text = lines.map((one) => `${one}\r\n`).join("")
        const pieces: string[] = []
        for (let at = 0, n = 0; at < text.length; n++) {
          const size = cuts[n % cuts.length] ?? 1
          pieces.push(text.slice(at, at + size))
          at += size
        }
        const whole = read(text)
        expect(read(...pieces)).toEqual(whole)
        expect(whole.text.split("\r\n").filter((one) => one === "A: b")).toHaveLength(
          lines.filter((one) => one === "A: b").length,
        )
      }),
    )
  })
})
