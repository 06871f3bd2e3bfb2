import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readNatPmp, writeAddressRequest, writeMapRequest } from "../../../src/portmap/nat-pmp.ts"

const hex = (text: string) => Buffer.from(text.replaceAll(" ", ""), "hex")

describe("questions are those of RFC 6886", () => {
  test("for the public address (§3.2)", () => {
    expect(writeAddressRequest()).toEqual(Uint8Array.of(0, 0))
  })
  test("for a mapping of TCP (§3.3), and for its end, without a port (§3.4)", () => {
    expect(writeMapRequest(8443, 443, 3600)).toEqual(hex("00 02 0000 20fb 01bb 00000e10"))
    expect(writeMapRequest(8443, 443, 0)).toEqual(hex("00 02 0000 20fb 0000 00000000"))
  })
})

const ADDRESS = hex("00 80 0000 00000011 cb007109")
const MAPPED = hex("00 82 0000 00000011 20fb 01bb 00000e10")

describe("answers", () => {
  test("the public address, and a mapping, also with bytes behind", () => {
    const address = { kind: "value", value: { kind: "address", address: "203.0.113.9" } }
    const mapped = { kind: "mapped", internalPort: 8443, externalPort: 443, lifetimeSeconds: 3600 }
    for (const behind of ["", "0000"]) {
      expect(readNatPmp(Buffer.concat([ADDRESS, hex(behind)]))).toEqual(address)
      expect(readNatPmp(Buffer.concat([MAPPED, hex(behind)]))).toEqual({ kind: "value", value: mapped })
    }
  })
  test("cut short anywhere they are refused", () => {
    for (const whole of [ADDRESS, MAPPED])
      for (let length = 0; length < whole.length; length++)
        expect(readNatPmp(whole.subarray(0, length)).kind).toBe("refused")
  })
  test("what the router refuses is said in words (§3.5)", () => {
    expect(readNatPmp(hex("00 82 0002 00000011"))).toMatchObject({
      why: expect.stringContaining("switched mappings off"),
    })
    expect(readNatPmp(hex("00 82 0063 00000011"))).toMatchObject({ why: "it answers with code 99" })
  })
  test("never throws", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => void readNatPmp(bytes)))
  })
})
