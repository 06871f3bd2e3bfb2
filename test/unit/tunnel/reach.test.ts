import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { readReachAnswer, readReachQuestion, writeReachAnswer } from "../../../src/tunnel/reach.ts"
import { at } from "../../support/loopback.ts"

test("answers are read as they are written", () => {
  for (const from of [at("198.51.100.10", 45_678), at("2001:db8::10", 1), undefined]) {
    const answer = { at: at("203.0.113.9", 443), from }
    expect(readReachAnswer(writeReachAnswer(answer))).toEqual(answer)
  }
})

test.each(["", "203.0.113.9:443", "203.0.113.9:443 x", "home:443 -", "203.0.113.9:443 - -"])(
  "%j is no answer",
  (text) => {
    expect(readReachAnswer(text)).toBeUndefined()
  },
)

test("a question is a port, and nothing else", () => {
  expect([readReachQuestion("443"), readReachQuestion("65535")]).toEqual([443, 65_535])
  for (const other of ["0", "65536", "0443", "443 ", "router:443", ""]) expect(readReachQuestion(other)).toBeUndefined()
})

test("nothing throws", () => {
  fc.assert(fc.property(fc.string(), (text) => void [readReachAnswer(text), readReachQuestion(text)]))
})
