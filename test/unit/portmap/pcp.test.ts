import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readPcpMap, writePcpMap } from "../../../src/portmap/pcp.ts"
import { address } from "../../support/loopback.ts"

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ""), "hex")
const NONCE = hex("000102030405060708090a0b")
const V4 = "00000000000000000000ffff"

test("a request is that of RFC 6887 §7.1 and §11.1, the client's address in it", () => {
  const wish = { internalPort: 8443, externalPort: 443, lifetimeSeconds: 3600 }
  const written = writePcpMap({ nonce: NONCE, client: address("192.168.7.2"), ...wish })
  expect(Buffer.from(written)).toEqual(
    hex(`02 01 0000 00000e10 ${V4} c0a80702 000102030405060708090a0b 06 000000 20fb 01bb ${V4} 00000000`),
  )
})

const ANSWER = hex(
  `02 81 00 00 00000e10 00000011 000000000000000000000000 000102030405060708090a0b 06 000000 20fb 01bb ${V4} cb007109`,
)

describe("answers", () => {
  test("a mapping, also with an option behind", () => {
    const external = { address: "203.0.113.9", port: 443 }
    const value = { nonce: NONCE, internalPort: 8443, external, lifetimeSeconds: 3600 }
    for (const behind of ["", "03000000"]) {
      const read = readPcpMap(Buffer.concat([ANSWER, hex(behind)]))
      expect(read).toMatchObject({ kind: "value", value: { ...value, nonce: expect.anything() } })
      expect(read.kind === "value" && NONCE.equals(read.value.nonce)).toBe(true)
    }
  })
  test("cut short anywhere they are refused", () => {
    for (let length = 0; length < ANSWER.length; length++)
      expect(readPcpMap(ANSWER.subarray(0, length)).kind).toBe("refused")
  })
  test("a second router in between is told by the first (§7.4), and NAT-PMP's version is not ours", () => {
    expect(readPcpMap(hex("02 81 00 0c 00000000 00000011 000000000000000000000000"))).toMatchObject({
      why: expect.stringContaining("second router"),
    })
    expect(readPcpMap(hex("00 80 0001 00000011"))).toMatchObject({ why: "it is not PCP" })
  })
  test("never throws", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => void readPcpMap(bytes)))
  })
})
