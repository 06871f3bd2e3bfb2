import { describe, expect, test } from "@jest/globals"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"
import { WAYS_MAX, waysOut } from "../../../src/relay/ways-out.ts"

const address = (text: string) => ipAddress(text) as IpAddress
const places = (...texts: readonly string[]) => texts.map((text) => ({ address: address(text), port: 25 }))
const OWN = [address("203.0.113.7"), address("2001:db8::7"), address("203.0.113.8")]
const OURS = new Set([address("11.0.0.1"), address("2a00::1")])

describe("outgoing mail", () => {
  test("goes to each public address from the friend's own of the same family", () => {
    const out = waysOut(places("11.0.3.1", "2a01::25"), OWN, OURS)
    expect(out).toEqual({
      kind: "ways",
      ways: [
        { to: { address: "11.0.3.1", port: 25 }, from: "203.0.113.7" },
        { to: { address: "2a01::25", port: 25 }, from: "2001:db8::7" },
      ],
    })
  })

  test.each([
    ["loopback", "127.0.0.1"],
    ["all of loopback", "127.9.9.9"],
    ["this host", "0.0.0.0"],
    ["private", "10.0.0.1"],
    ["private", "172.16.0.1"],
    ["private", "192.168.1.1"],
    ["shared by a provider's customers", "100.64.0.1"],
    ["link-local, a cloud's metadata", "169.254.169.254"],
    ["multicast", "224.0.0.1"],
    ["broadcast", "255.255.255.255"],
    ["reserved", "240.0.0.1"],
    ["for protocols", "192.0.0.8"],
    ["for benchmarks", "198.18.0.1"],
    ["for documentation", "203.0.113.1"],
    ["6to4's relays", "192.88.99.1"],
    ["loopback", "::1"],
    ["unspecified", "::"],
    ["IPv4-mapped loopback", "::ffff:127.0.0.1"],
    ["IPv4-mapped private", "::ffff:10.0.0.1"],
    ["IPv4-compatible loopback", "::7f00:1"],
    ["IPv4-translated loopback", "::ffff:0:7f00:1"],
    ["NAT64 of loopback", "64:ff9b::7f00:1"],
    ["NAT64 of a local prefix", "64:ff9b:1::7f00:1"],
    ["6to4 of loopback", "2002:7f00:1::"],
    ["Teredo", "2001:0:7f00:1::1"],
    ["unique local", "fd00::1"],
    ["link-local", "fe80::1"],
    ["site-local", "fec0::1"],
    ["multicast", "ff02::1"],
    ["for documentation", "2001:db8::1"],
    ["discarded", "100::1"],
    ["given out to nobody", "4000::1"],
    ["the relay's own", "11.0.0.1"],
    ["the relay's own", "2a00::1"],
  ])("does not go to an address that is %s: %s", (_what, text) => {
    expect(waysOut(places(text), OWN, OURS)).toEqual({ kind: "refused", code: "OUTGOING_PLACE" })
  })

  test("passes over what is not public where a name has public addresses too", () => {
    const out = waysOut(places("127.0.0.1", "11.0.3.1", "11.0.0.1"), OWN, OURS)
    expect(out).toMatchObject({ kind: "ways", ways: [{ to: { address: "11.0.3.1" } }] })
  })

  test("does not go where the friend has no address of the family, nor from anybody else's", () => {
    const [v4] = OWN
    expect(waysOut(places("2a01::25"), v4 ? [v4] : [], OURS)).toEqual({ kind: "refused", code: "OUTGOING_FAMILY" })
    expect(waysOut(places("11.0.3.1"), [], OURS)).toEqual({ kind: "refused", code: "OUTGOING_FAMILY" })
  })

  test("tries a few addresses of a name, not all that it could have", () => {
    const many = places(...Array.from({ length: 20 }, (_, index) => `11.0.3.${index}`))
    const out = waysOut(many, OWN, OURS)
    expect(out.kind === "ways" ? out.ways : []).toHaveLength(WAYS_MAX)
  })
})
