import { expect, test } from "@jest/globals"
import { assert as holds, property, uint8Array } from "fast-check"
import { queryMessage, readAnswer, UDP_PAYLOAD_BYTES } from "../../../src/dns/message.ts"
import { nameBytes, readName } from "../../../src/dns/name.ts"

const hex = (text: string) => Buffer.from(text.replaceAll(/\s/g, ""), "hex")
const ALICE = "05616c696365 076578616d706c65 00" // alice.example
const head = (answers: number, flags = "81a0") => `1234 ${flags} 0001 000${answers} 0000 0000`

test("a query has one question, asks for validation, and says what fits into a datagram", () => {
  const query = Buffer.from(queryMessage(0x1234, "alice.example", "TLSA") ?? [])
  expect(query.toString("hex")).toBe(
    hex(`1234 0120 0001 0000 0000 0001 ${ALICE} 0034 0001 00 0029 04d0 0000 8000 0000`).toString("hex"),
  )
  expect(UDP_PAYLOAD_BYTES).toBe(0x04d0)
})

test("an answer is read with its names compressed, its AD bit, and types we do not know passed over", () => {
  const mx = "c00c 000f 0001 00000e10 0009 000a 046d61696c c00c"
  const rrsig = "c00c 002e 0001 00000e10 0003 aabbcc"
  expect(readAnswer(hex(`${head(2)} ${ALICE} 000f 0001 ${mx} ${rrsig}`), "alice.example", "MX")).toEqual({
    id: 0x1234,
    rcode: 0,
    authentic: true,
    truncated: false,
    records: [{ name: "alice.example", ttlSeconds: 3600, type: "MX", preference: 10, exchange: "mail.alice.example" }],
  })
})

test.each([
  ["A", "0001", "0004 c0000207", { type: "A", address: "192.0.2.7" }],
  ["AAAA", "001c", "0010 20010db8000000000000000000000001", { type: "AAAA", address: "2001:db8:0:0:0:0:0:1" }],
  ["TXT", "0010", "0008 03763d53 03545376", { type: "TXT", text: "v=STSv" }],
  ["TLSA", "0034", "0005 030101 abcd", { type: "TLSA", usage: 3, selector: 1, matching: 1, dataHex: "abcd" }],
  [
    "CAA",
    "0101",
    "0009 80 05 4973737565 3b 20".replace("0009", "0009"),
    { type: "CAA", critical: true, tag: "issue", value: "; " },
  ],
] as const)("a %s record is read", (type, code, data, expected) => {
  const message = hex(`${head(1)} ${ALICE} ${code} 0001 c00c ${code} 0001 0000003c ${data}`)
  expect(readAnswer(message, "alice.example", type)?.records).toEqual([
    { name: "alice.example", ttlSeconds: 60, ...expected },
  ])
})

test.each([
  ["a query", `${head(0, "0120")} ${ALICE} 0001 0001`],
  ["the answer to another name", `${head(0)} 03626f62 00 0001 0001`],
  ["the answer to another type", `${head(0)} ${ALICE} 001c 0001`],
  ["two questions", `1234 81a0 0002 0000 0000 0000 ${ALICE} 0001 0001`],
  ["fewer records than announced", `${head(2)} ${ALICE} 0001 0001 c00c 0001 0001 0000003c 0004 c0000207`],
  ["a record that runs past the end", `${head(1)} ${ALICE} 0001 0001 c00c 0001 0001 0000003c 0010 c0000207`],
  ["an address of three bytes", `${head(1)} ${ALICE} 0001 0001 c00c 0001 0001 0000003c 0003 c00002`],
  ["a name that points at itself", `${head(1)} ${ALICE} 0001 0001 c01f 0001 0001 0000003c 0004 c0000207`],
])("%s is no answer", (_what, message) => {
  expect(readAnswer(hex(message), "alice.example", "A")).toBeUndefined()
})

test("a cut answer says that it was cut", () => {
  const cut = readAnswer(hex(`${head(3, "83a0")} ${ALICE} 0001 0001`), "alice.example", "A")
  expect(cut).toMatchObject({ truncated: true, records: [] })
})

test("names: the longest that fit, and no longer; a dot inside a label stays one label", () => {
  const label = "a".repeat(63)
  expect(nameBytes([label, label, label, "a".repeat(61)].join("."))).toHaveLength(255)
  expect(nameBytes([label, label, label, "a".repeat(62)].join("."))).toBeUndefined()
  expect(nameBytes("a..b")).toBeUndefined()
  expect(readName(hex("03612e62 00"), 0)).toEqual({ name: "a\\.b", end: 5 })
})

test("a chain of pointers ends", () => {
  const chain = Buffer.alloc(400)
  for (let at = 2; at < 400; at += 2) chain.writeUInt16BE(0xc000 + at - 2, at)
  expect(readName(chain, 398)).toBeUndefined()
})

test("no bytes make the reader throw", () => {
  const start = hex(`${head(3)} ${ALICE} 0001 0001`)
  holds(
    property(
      uint8Array({ maxLength: 100 }),
      (tail) => void readAnswer(Buffer.concat([start, tail]), "alice.example", "A"),
    ),
  )
  holds(property(uint8Array({ maxLength: 100 }), (bytes) => void readAnswer(bytes, "alice.example", "A")))
})
