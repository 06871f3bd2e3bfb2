/** The TLVs behind the addresses of a PROXY v2 header (§2.2): walked to the end, those with a form checked for it. */
import { Cursor } from "../../bytes/cursor.ts"
import type { ParsedWhole } from "../../bytes/parsed.ts"
import { crc32c } from "./crc32c.ts"
import { malformed, type ProxyRefusal, type Tlv } from "./header.ts"

export const TLV_ALPN = 0x01
export const TLV_AUTHORITY = 0x02
const TLV_CRC32C = 0x03
const TLV_UNIQUE_ID = 0x05
const TLV_SSL = 0x20

/** §2.2.5: "up to 128 bytes". */
const UNIQUE_ID_BYTES_MAX = 128

/** `header` is the whole header, `block` what is left of it behind the addresses. */
export function readTlvs(block: Cursor, header: Uint8Array): ParsedWhole<readonly Tlv[], ProxyRefusal> {
  const tlvs = walk(block)
  if (!tlvs) return malformed("a TLV's length is wrong")
  const wrong = tlvs.find((tlv) => !isWellFormed(tlv))
  if (wrong) return malformed(`the TLV of type ${wrong.type} is not of its form`)
  const checksums = tlvs.filter(({ type }) => type === TLV_CRC32C)
  if (checksums.length > 1) return malformed("two checksums")
  if (checksums[0] && !isChecksumOf(header, checksums[0].value)) return malformed("the checksum is wrong")
  return { kind: "value", value: tlvs }
}

function walk(block: Cursor): readonly Tlv[] | undefined {
  const tlvs: Tlv[] = []
  while (block.leftBytes > 0) {
    const type = block.u8()
    const content = block.block(2)
    if (type === undefined || !content) return undefined
    tlvs.push({ type, value: content.rest() })
  }
  return tlvs
}

function isWellFormed({ type, value }: Tlv): boolean {
  if (type === TLV_CRC32C) return value.length === 4
  if (type === TLV_UNIQUE_ID) return value.length <= UNIQUE_ID_BYTES_MAX
  return type === TLV_SSL ? isSsl(new Cursor(value)) : true
}

/** §2.2.6: a byte of flags, the result of verifying, and TLVs of its own. */
function isSsl(value: Cursor): boolean {
  return value.u8() !== undefined && value.u32() !== undefined && walk(value) !== undefined
}

/** §2.2.3: computed over the whole header, with zeros where the checksum stands. `checksum` is a view of `header`. */
function isChecksumOf(header: Uint8Array, checksum: Uint8Array): boolean {
  const zeroed = Uint8Array.from(header)
  zeroed.fill(0, checksum.byteOffset - header.byteOffset, checksum.byteOffset - header.byteOffset + checksum.length)
  return crc32c(zeroed) === new Cursor(checksum).u32()
}
