import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import {
  HASHED_RECIPIENTS_MAX,
  HashedRecipients,
  PADDED_TO,
  writeHashedRecipients,
} from "../../../src/route/hashed-recipients.ts"

const PEOPLE = ["dave@dave.example", "Info@Dave.Example", "jos\u00e9@dave.example"]
const HEX = "ab".repeat(32)

describe("a list that was written", () => {
  const list = HashedRecipients.read(writeHashedRecipients(PEOPLE))

  test.each(["dave@dave.example", "DAVE@dave.example", "info@dave.example", "jose\u0301@dave.example"])(
    "has %s",
    (address) => {
      expect(list?.has(address)).toBe(true)
    },
  )

  test.each(["", "erin@dave.example", "dave@dave.test", "dave", "dave@dave.example "])("has not %j", (address) => {
    expect(list?.has(address)).toBe(false)
  })

  test("says of no address what it is, and not how many there are", () => {
    const text = writeHashedRecipients(PEOPLE)
    for (const person of PEOPLE) expect(text.toLowerCase()).not.toContain(person.toLowerCase().split("@")[0])
    expect(text.length).toBe(writeHashedRecipients([]).length)
    expect(text.trimEnd().split("\n")).toHaveLength(2 + PADDED_TO)
  })

  test("has nothing in common with another one of the same addresses", () => {
    const lines = (text: string) => new Set(text.trimEnd().split("\n").slice(1))
    const [one, other] = [lines(writeHashedRecipients(PEOPLE)), lines(writeHashedRecipients(PEOPLE))]
    expect([...one].filter((line) => other.has(line))).toEqual([])
  })

  test("is read with CRLF too", () => {
    expect(
      HashedRecipients.read(writeHashedRecipients(PEOPLE).replaceAll("\n", "\r\n"))?.has("dave@dave.example"),
    ).toBe(true)
  })
})

test("the digests are HMAC-SHA-256 of the address in small letters", () => {
  const key = Buffer.alloc(32, 7)
  const [, , ...digests] = writeHashedRecipients(["Dave@dave.example"], (bytes) =>
    bytes === 32 ? randomly(key) : key,
  ).split("\n")
  // printf dave@dave.example | openssl dgst -sha256 -mac HMAC -macopt hexkey:0707…07
  expect(digests).toContain("9984a9ba531d0f353f9219078143c01bcf8441e65f6047c1d3ecc38e6fcb45a6")
})

test.each([
  "",
  "waypost-recipients 1",
  `waypost-recipients 2\nkey ${HEX}\n`,
  `waypost-recipients 1\nkey ${HEX.slice(2)}\n`,
  `waypost-recipients 1\nkey ${HEX}\n${HEX}`,
  `waypost-recipients 1\nkey ${HEX}\n${HEX.toUpperCase()}\n`,
  `waypost-recipients 1\nkey ${HEX}\n${HEX}\n\n${HEX}\n`,
  `waypost-recipients 1\nkey ${HEX}\n${`${HEX}\n`.repeat(HASHED_RECIPIENTS_MAX + 1)}`,
])("what was not written so is no list (%#)", (text) => {
  expect(HashedRecipients.read(text)).toBeUndefined()
})

test("whatever is in a file, reading it does not throw", () => {
  fc.assert(fc.property(fc.string(), (text) => void HashedRecipients.read(text)))
})

let calls = 0
/** The first is the key, the others fill up. */
function randomly(key: Buffer): Buffer {
  calls += 1
  if (calls === 1) return key
  const filler = Buffer.alloc(32)
  filler.writeUInt32BE(calls)
  return filler
}
