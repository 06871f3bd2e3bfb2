import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { encodeXtext } from "../../../../src/smtp/delivery/xtext.ts"

test.each([
  ["rfc822;dave@dave.example", "rfc822;dave@dave.example"],
  ["a+b=c", "a+2Bb+3Dc"],
  ["a b\r\n", "a+20b+0D+0A"],
  ["ö", "+C3+B6"],
  ["", ""],
])("%j becomes %j", (text, encoded) => {
  expect(encodeXtext(text)).toBe(encoded)
})

test("nothing but xchar and hexchar comes out, and it says the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme" }), (text) => {
      const encoded = encodeXtext(text)
      expect(encoded).toMatch(/^(?:[!-*,-<>-~]|\+[0-9A-F]{2})*$/)
      const bytes = encoded.replace(/\+(..)/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)))
      expect(Buffer.from(bytes, "latin1").toString()).toBe(text)
    }),
  )
})
