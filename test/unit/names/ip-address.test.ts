import { isIP } from "node:net"
import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import {
  cidr,
  contains,
  ipAddress,
  ipAddressBytes,
  ipAddressOf,
  ipv6Bytes,
  isIpv6,
} from "../../../src/names/ip-address.ts"

describe("an address", () => {
  test.each([
    ["192.0.2.1", "192.0.2.1"],
    ["0.0.0.0", "0.0.0.0"],
    ["255.255.255.255", "255.255.255.255"],
    ["::1", "::1"],
    ["::", "::"],
    ["2001:DB8:0:0:0:0:0:A", "2001:db8::a"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // RFC 5952 §4.2.2: one group of zeros is not shortened
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // §4.2.3: the longest run is
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // §4.2.3: the first of two equal ones
  ])("%s has one spelling: %s", (text, normal) => {
    expect(ipAddress(text)).toBe(normal)
  })

  test.each([["::ffff:192.0.2.1"], ["::ffff:c000:201"], ["::FFFF:192.0.2.1"]])(
    "%s, as the kernel may call 192.0.2.1, is 192.0.2.1",
    (mapped) => {
      expect(ipAddress(mapped)).toBe("192.0.2.1")
    },
  )

  test.each([
    ["a short form", "192.1"],
    ["a number", "3221225985"],
    ["octal", "192.0.02.1"],
    ["hexadecimal", "0xc0.0.2.1"],
    ["an octet over 255", "256.0.2.1"],
    ["five octets", "192.0.2.1.1"],
    ["a sign", "+192.0.2.1"],
    ["a space", " 192.0.2.1"],
    ["a port", "192.0.2.1:25"],
    ["a zone", "fe80::1%eth0"],
    ["brackets", "[::1]"],
    ["two gaps", "1::2::3"],
    ["nine groups", "1:2:3:4:5:6:7:8:9"],
    ["five digits", "2001:db8::12345"],
    ["octal inside IPv6", "::ffff:192.0.02.1"],
    ["nothing", ""],
  ])("%s is refused", (_what, text) => {
    expect(ipAddress(text)).toBeUndefined()
  })

  test("what Node calls an address is one, and nothing else is", () => {
    const nearlyAddresses = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom(...Array.from("0123456789afAF:.x% ")), maxLength: 45 }),
      fc
        .array(fc.constantFrom("0", "1", "ffff", "0db8", ":", "::", "192.0.2.1", "01"), { maxLength: 12 })
        .map((parts) => parts.join(":")),
    )
    fc.assert(
      fc.property(nearlyAddresses, (text) => {
        expect(ipAddress(text) !== undefined).toBe(isIP(text) > 0 && !text.includes("%"))
      }),
      { numRuns: 2000 },
    )
  })

  test("reading the one spelling gives the one spelling", () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = ipAddress(text) ?? ""
        expect(ipAddress(address)).toBe(address)
      }),
    )
  })
})

describe("a range", () => {
  const holds = (rangeText: string, text: string) => {
    const [range, address] = [cidr(rangeText), ipAddress(text)]
    return range && address && contains(range, address)
  }

  test("holds what lies inside its prefix", () => {
    expect(holds("10.0.0.0/8", "10.255.0.1")).toBe(true)
    expect(holds("10.0.0.0/8", "11.0.0.1")).toBe(false)
    expect(holds("2001:db8::/32", "2001:db8:ffff::1")).toBe(true)
    expect(holds("2001:db8::/32", "2001:db9::1")).toBe(false)
  })

  test("without a prefix is one address", () => {
    expect(holds("10.0.0.1", "10.0.0.1")).toBe(true)
    expect(holds("10.0.0.1", "10.0.0.2")).toBe(false)
    expect(holds("::1", "::1")).toBe(true)
  })

  test("of all addresses of one family holds none of the other", () => {
    expect(holds("0.0.0.0/0", "::1")).toBe(false)
    expect(holds("::/0", "10.0.0.1")).toBe(false)
  })

  test("in IPv4 holds the address that the kernel maps into IPv6", () => {
    expect(holds("10.0.0.0/8", "::ffff:10.0.0.1")).toBe(true)
  })

  test.each(["", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/8/8", "10.0.0.0/-1", "10/8", "10.0.0.0/8 "])(
    "%p is none",
    (text) => {
      expect(cidr(text)).toBeUndefined()
    },
  )
})

test("the family is told by the spelling", () => {
  const family = (text: string) => {
    const address = ipAddress(text)
    return address && isIpv6(address)
  }
  expect(family("::1")).toBe(true)
  expect(family("192.0.2.1")).toBe(false)
})

test("bytes and text of an address are the same address", () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = ipAddress(text)
      if (!address) throw new Error(`not an address: ${text}`)
      expect(ipAddressOf(ipAddressBytes(address))).toBe(address)
      expect(ipAddressOf(ipv6Bytes(address))).toBe(address)
    }),
  )
})
