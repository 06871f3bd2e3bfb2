import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import type { Parsed } from "../../../src/bytes/parsed.ts"
import { endpointText, socketAddress, type Endpoint } from "../../../src/names/endpoint.ts"
import {
  connected,
  loginAnswer,
  methodChoice,
  notConnected,
  readLogin,
  readMethods,
  readRequest,
} from "../../../src/outgoing/socks.ts"
import { bytes } from "../../support/hello.ts"

type Case = readonly [what: string, hex: string, right: unknown]

const METHODS: readonly Case[] = [
  ["no authentication (curl, Exim, proxychains)", "05 01 00", { none: true, login: false }],
  ["both that we know, and GSSAPI", "05 03 00 01 02", { none: true, login: true }],
  ["none at all", "05 00", { none: false, login: false }],
  ["as many as there can be", `05 ff ${"80 ".repeat(254)}02`, { none: false, login: true }],
  ["SOCKS 4", "04 01 00 19", "SOCKS_MALFORMED"],
]

const LOGINS: readonly Case[] = [
  ["user and password", "01 05 616c696365 03 707764", { user: "alice", password: "pwd" }],
  ["empty ones", "01 00 00", { user: "", password: "" }],
  ["in UTF-8", "01 02 c3a9 01 78", { user: "é", password: "x" }],
  ["another version", "05 01 61 01 62", "SOCKS_MALFORMED"],
]

const REQUESTS: readonly Case[] = [
  ["an IPv4 address", "05 01 00 01 c0000219 0019", "192.0.2.25:25"],
  ["an IPv6 address", "05 01 00 04 20010db8000000000000000000000019 0019", "[2001:db8::19]:25"],
  ["an IPv4 address in IPv6 dress", "05 01 00 04 00000000000000000000ffff7f000001 0019", "127.0.0.1:25"],
  ["a name", "05 01 00 03 0a 6d782e6361726f6c2e78 0019", "mx.carol.x:25"],
  ["a name in capitals with a dot at its end", "05 01 00 03 05 4d582e782e 0019", "mx.x:25"],
  ["an address as a name, as curl sends it", "05 01 00 03 09 3139322e302e322e31 0019", "192.0.2.1:25"],
  ["another port, which is not ours to judge", "05 01 00 01 c0000219 0050", "192.0.2.25:80"],
  ["BIND", "05 02 00 01 c0000219 0019", "SOCKS_COMMAND"],
  ["UDP ASSOCIATE", "05 03 00 01 00000000 0000", "SOCKS_COMMAND"],
  ["a reserved byte in use", "05 01 01 01 c0000219 0019", "SOCKS_MALFORMED"],
  ["an unknown type of address", "05 01 00 02 c0000219 0019", "SOCKS_MALFORMED"],
  ["an empty name", "05 01 00 03 00 0019", "SOCKS_MALFORMED"],
  ["a name with a NUL in it", "05 01 00 03 03 610062 0019", "SOCKS_MALFORMED"],
  ["a number that resolvers take for an address", "05 01 00 03 0a 32313330373036343333 0019", "SOCKS_MALFORMED"],
  ["SOCKS 4 in the middle", "04 01 00 19", "SOCKS_MALFORMED"],
]

describe.each([
  ["methods", METHODS, (received: Uint8Array) => told(readMethods(received))],
  ["login", LOGINS, (received: Uint8Array) => told(readLogin(received))],
  ["request", REQUESTS, (received: Uint8Array) => told(readRequest(received), inWords)],
] as const)("the %s", (_noun, cases, read) => {
  test.each(cases)("%s: whole, byte by byte, and with bytes behind", (_what, hex, right) => {
    const whole = bytes(hex)
    const wanted = typeof right === "string" && right.startsWith("SOCKS") ? right : { right, consumed: whole.length }
    expect(read(whole)).toEqual(wanted)
    for (let length = 0; length < whole.length; length++) {
      const early = read(whole.subarray(0, length))
      expect([wanted, "need-more"]).toContainEqual(early)
      if (typeof wanted !== "string") expect(early).toBe("need-more")
    }
    expect(read(Buffer.concat([whole, bytes("05 01 00")]))).toEqual(wanted)
  })

  test("no bytes make the reader throw", () => {
    const mutated = fc
      .tuple(fc.constantFrom(...cases), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([[, hex], at, other]) => bytes(hex).map((byte, index, all) => (index === at % all.length ? other : byte)))
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated), (received) => {
        const outcome = read(received)
        if (typeof outcome !== "string") expect(outcome.consumed).toBeLessThanOrEqual(received.length)
      }),
      { numRuns: 2000 },
    )
  })
})

function told<Value>(parsed: Parsed<Value, string>, words: (value: Value) => unknown = (value) => value) {
  if (parsed.kind === "need-more") return parsed.kind
  return parsed.kind === "refused" ? parsed.why : { right: words(parsed.value), consumed: parsed.consumedBytes }
}

function inWords(to: Endpoint): string {
  return endpointText(to)
}

test("what is answered has the form that RFC 1928 and RFC 1929 give it", () => {
  const hex = (answer: Uint8Array) => Buffer.from(answer).toString("hex")
  expect(hex(methodChoice("none"))).toBe("0500")
  expect(hex(methodChoice("login"))).toBe("0502")
  expect(hex(methodChoice("unacceptable"))).toBe("05ff")
  expect(hex(loginAnswer(true))).toBe("0100")
  expect(hex(loginAnswer(false))).toBe("0101")
  const [v4, v6] = [socketAddress("203.0.113.7:40000"), socketAddress("[2001:db8::7]:40000")]
  if (!v4 || !v6) throw new Error("both are addresses")
  expect(hex(connected(v4))).toBe("05000001cb0071079c40")
  expect(hex(connected(v6))).toBe("0500000420010db80000000000000000000000079c40")
  expect(hex(notConnected("OUTGOING_PORT"))).toBe("05020001000000000000")
  expect(hex(notConnected("BACKEND_REFUSES"))).toBe("05050001000000000000")
  expect(hex(notConnected("OUTGOING_AWAY"))).toBe("05010001000000000000")
})
