import { expect, test } from "@jest/globals"
import { crc32c } from "../../../../src/net/proxy-header/crc32c.ts"

test.each([
  ["the check value of the CRC catalogue", Buffer.from("123456789"), 0xe3069283],
  ["32 bytes of zeros (RFC 3720 §B.4)", Buffer.alloc(32), 0x8a9136aa],
  ["32 bytes of ones (RFC 3720 §B.4)", Buffer.alloc(32, 0xff), 0x62a8ab43],
  ["32 rising bytes (RFC 3720 §B.4)", Buffer.from(Array.from({ length: 32 }, (_, index) => index)), 0x46dd794e],
  ["nothing", Buffer.alloc(0), 0],
])("CRC-32C of %s", (_what, bytes, checksum) => {
  expect(crc32c(bytes)).toBe(checksum)
})
