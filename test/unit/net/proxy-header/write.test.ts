import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { socketAddress, type SocketAddress } from "../../../../src/names/endpoint.ts"
import { hostname } from "../../../../src/names/hostname.ts"
import { readProxyHeader } from "../../../../src/net/proxy-header/proxy-header.ts"
import { PROXY_SENT_BYTES_MAX, writeProxyHeader } from "../../../../src/net/proxy-header/write.ts"

const carol = at("192.0.2.1:56324")
const bob = at("198.51.100.1:443")
const bobInSix = at("[2001:db8::2]:443")

describe("version 1", () => {
  const line = (remote: SocketAddress, local: SocketAddress) =>
    Buffer.from(writeProxyHeader("v1", { remote, local })).toString()

  test("is one line", () => {
    expect(line(carol, bob)).toBe("PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n")
    expect(line(at("[2001:db8::1]:1"), bobInSix)).toBe("PROXY TCP6 2001:db8::1 2001:db8::2 1 443\r\n")
  })

  test("writes both ends in one family", () => {
    expect(line(carol, bobInSix)).toBe("PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 56324 443\r\n")
  })
})

describe("version 2", () => {
  const hex = (more: object) =>
    Buffer.from(writeProxyHeader("v2", { remote: carol, local: bob, ...more })).toString("hex")
  const head = (lengthHex: string) => `0d0a0d0a000d0a515549540a2111${lengthHex}c0000201c6336401dc0401bb`

  test("is signature, command, family, length and addresses", () => {
    expect(hex({})).toBe(head("000c"))
  })

  test("carries the application protocol and the server name", () => {
    const tlvs = `01000268${"32"}02000d${Buffer.from("alice.example").toString("hex")}`
    expect(hex({ alpn: "h2", serverName: hostname("alice.example") })).toBe(head("0021") + tlvs)
  })

  test("leaves out a name that would not fit, and keeps what does", () => {
    const long = hostname(`${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.${"d".repeat(60)}`)
    expect(hex({ alpn: "h2", serverName: long })).toBe(`${head("0011")}0100026832`)
    expect(hex({ serverName: long })).toBe(head("000c"))
  })
})

test("what is written is read back, in either version, and is never longer than what every receiver holds", () => {
  const ends = fc.tuple(
    fc.oneof(
      fc.ipV4(),
      fc.ipV6().map((text) => `[${text}]`),
    ),
    fc.integer({ min: 0, max: 65535 }),
  )
  const names = fc.option(fc.domain().map(hostname), { nil: undefined })
  const protocols = fc.option(fc.string({ minLength: 1, maxLength: 255, unit: "binary-ascii" }), { nil: undefined })
  fc.assert(
    fc.property(fc.constantFrom("v1", "v2"), ends, ends, names, protocols, (version, from, to, serverName, alpn) => {
      const [remote, local] = [at(from.join(":")), at(to.join(":"))]
      const written = writeProxyHeader(version, { remote, local, serverName, alpn })
      expect(written.length).toBeLessThanOrEqual(PROXY_SENT_BYTES_MAX)
      expect(readProxyHeader(written)).toMatchObject({ value: { remote, local }, consumedBytes: written.length })
    }),
  )
})

function at(text: string): SocketAddress {
  const address = socketAddress(text)
  if (!address) throw new Error(`the test's own data is wrong: ${text}`)
  return address
}
