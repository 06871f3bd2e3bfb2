/**
 * DNS messages, as far as a stub resolver needs them: one question out (RFC 1035 §4, EDNS RFC 6891, DO and AD RFC 4035
 * §3.2), the answer in. Every record is read within its own RDLENGTH; types that we do not know are passed over. Pure.
 */
import { Cursor } from "../bytes/cursor.ts"
import { nameBytes, readName } from "./name.ts"

export const TYPES = {
  A: 1,
  NS: 2,
  CNAME: 5,
  SOA: 6,
  PTR: 12,
  MX: 15,
  TXT: 16,
  AAAA: 28,
  DS: 43,
  TLSA: 52,
  CAA: 257,
} as const
export type RecordType = keyof typeof TYPES

/** One record of an answer; `ttlSeconds` as received. */
export type DnsRecord = { readonly name: string; readonly ttlSeconds: number } & DnsData

export type DnsData =
  | { readonly type: "A" | "AAAA"; readonly address: string }
  | { readonly type: "NS" | "CNAME" | "PTR"; readonly target: string }
  | { readonly type: "MX"; readonly preference: number; readonly exchange: string }
  | { readonly type: "TXT"; readonly text: string } // its strings joined (RFC 7208 §3.3)
  | {
      readonly type: "TLSA"
      readonly usage: number
      readonly selector: number
      readonly matching: number
      readonly dataHex: string
    }
  | { readonly type: "CAA"; readonly critical: boolean; readonly tag: string; readonly value: string }

export type DnsAnswer = {
  readonly id: number
  /** RFC 1035 §4.1.1, RFC 6895 §2.3: 0 no error, 2 server failure, 3 no such name. */
  readonly rcode: number
  /** The resolver validated all of it (RFC 4035 §3.2.3); worth something only from a resolver that we trust. */
  readonly authentic: boolean
  readonly truncated: boolean
  readonly records: readonly DnsRecord[]
}

/** RFC 6891 §6.2.5, DNS flag day 2020: what passes without fragments. */
export const UDP_PAYLOAD_BYTES = 1232
const CLASS_IN = 1
const TYPE_OPT = 41
/** RD, and AD to say that we understand the AD bit (RFC 6840 §5.7). */
const QUERY_FLAGS = 0x0120
const DO_BIT = 0x8000
const HEADER_BYTES = 12

/** A query for one name and type; `undefined` if the name cannot be written. */
export function queryMessage(id: number, name: string, type: RecordType): Uint8Array | undefined {
  const wireName = nameBytes(name)
  if (!wireName) return undefined
  const head = Buffer.alloc(HEADER_BYTES)
  head.writeUInt16BE(id, 0)
  head.writeUInt16BE(QUERY_FLAGS, 2)
  head.writeUInt16BE(1, 4) // one question
  head.writeUInt16BE(1, 10) // one additional record: OPT
  const question = Buffer.alloc(4)
  question.writeUInt16BE(TYPES[type], 0)
  question.writeUInt16BE(CLASS_IN, 2)
  const opt = Buffer.alloc(11)
  opt.writeUInt16BE(TYPE_OPT, 1)
  opt.writeUInt16BE(UDP_PAYLOAD_BYTES, 3)
  opt.writeUInt16BE(DO_BIT, 7)
  return Buffer.concat([head, wireName, question, opt])
}

/** Reads an answer to a question for `name` and `type`; `undefined` if it is malformed, or the answer to something else. */
export function readAnswer(message: Uint8Array, name: string, type: RecordType): DnsAnswer | undefined {
  const head = new Cursor(message)
  const id = head.u16()
  const flags = head.u16()
  const questions = head.u16()
  const answers = head.u16()
  if (id === undefined || flags === undefined || answers === undefined || questions !== 1 || flags < 0x8000)
    return undefined
  const asked = readName(message, HEADER_BYTES)
  if (!asked || asked.name !== name.toLowerCase()) return undefined
  const question = new Cursor(message.subarray(asked.end))
  if (question.u16() !== TYPES[type] || question.u16() !== CLASS_IN) return undefined
  const records = readRecords(message, asked.end + 4, answers)
  const truncated = (flags & 0x0200) !== 0
  if (!records && !truncated) return undefined
  return { id, rcode: flags & 0x0f, authentic: (flags & 0x0020) !== 0, truncated, records: records ?? [] }
}

function readRecords(message: Uint8Array, at: number, count: number): readonly DnsRecord[] | undefined {
  const records: DnsRecord[] = []
  for (let n = 0; n < count; n++) {
    const owner = readName(message, at)
    if (!owner) return undefined
    const fixed = new Cursor(message.subarray(owner.end))
    const [type, recordClass, ttlSeconds, lengthBytes] = [fixed.u16(), fixed.u16(), fixed.u32(), fixed.u16()]
    const start = owner.end + 10
    if (type === undefined || ttlSeconds === undefined || lengthBytes === undefined) return undefined
    if (start + lengthBytes > message.length) return undefined
    const data = recordClass === CLASS_IN ? readData(message, type, start, lengthBytes) : undefined
    if (data === "malformed") return undefined
    if (data) records.push({ name: owner.name, ttlSeconds, ...data })
    at = start + lengthBytes
  }
  return records
}

function readData(
  message: Uint8Array,
  type: number,
  start: number,
  lengthBytes: number,
): DnsData | "malformed" | undefined {
  const bytes = message.subarray(start, start + lengthBytes)
  const nameAt = (offset: number): string | undefined => {
    const found = readName(message, start + offset)
    return found && found.end === start + lengthBytes ? found.name : undefined
  }
  switch (type) {
    case TYPES.A:
      return bytes.length === 4 ? { type: "A", address: bytes.join(".") } : "malformed"
    case TYPES.AAAA:
      return bytes.length === 16 ? { type: "AAAA", address: ipv6Text(bytes) } : "malformed"
    case TYPES.NS:
    case TYPES.CNAME:
    case TYPES.PTR: {
      const target = nameAt(0)
      return target === undefined ? "malformed" : { type: TARGET_TYPES[type], target }
    }
    case TYPES.MX: {
      const preference = new Cursor(bytes).u16()
      const exchange = nameAt(2)
      return preference === undefined || exchange === undefined ? "malformed" : { type: "MX", preference, exchange }
    }
    case TYPES.TXT:
      return readTxt(bytes)
    case TYPES.TLSA:
      return readTlsa(bytes)
    case TYPES.CAA:
      return readCaa(bytes)
    default:
      return undefined
  }
}

const TARGET_TYPES = { [TYPES.NS]: "NS", [TYPES.CNAME]: "CNAME", [TYPES.PTR]: "PTR" } as const

function ipv6Text(bytes: Uint8Array): string {
  return Array.from({ length: 8 }, (_, n) => ((bytes[2 * n] ?? 0) * 256 + (bytes[2 * n + 1] ?? 0)).toString(16)).join(
    ":",
  )
}

function readTxt(bytes: Uint8Array): DnsData | "malformed" {
  const cursor = new Cursor(bytes)
  let text = ""
  while (cursor.leftBytes > 0) {
    const string = cursor.take(cursor.u8())
    if (!string) return "malformed"
    text += Buffer.from(string).toString("latin1")
  }
  return { type: "TXT", text }
}

/** RFC 6698 §2.1. */
function readTlsa(bytes: Uint8Array): DnsData | "malformed" {
  const cursor = new Cursor(bytes)
  const [usage, selector, matching] = [cursor.u8(), cursor.u8(), cursor.u8()]
  if (usage === undefined || selector === undefined || matching === undefined || cursor.leftBytes === 0)
    return "malformed"
  return { type: "TLSA", usage, selector, matching, dataHex: Buffer.from(cursor.rest()).toString("hex") }
}

/** RFC 8659 §4.1; the tag in lower case, since it is compared so. */
function readCaa(bytes: Uint8Array): DnsData | "malformed" {
  const cursor = new Cursor(bytes)
  const flags = cursor.u8()
  const tag = cursor.take(cursor.u8())
  if (flags === undefined || !tag || tag.length === 0) return "malformed"
  const value = Buffer.from(cursor.rest()).toString("latin1")
  return { type: "CAA", critical: flags >= 0x80, tag: Buffer.from(tag).toString("latin1").toLowerCase(), value }
}
