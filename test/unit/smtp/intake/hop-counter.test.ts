import { expect, test } from "@jest/globals"
import { HopCounter } from "../../../../src/smtp/intake/hop-counter.ts"

function hops(...pieces: readonly string[]): number {
  const counter = new HopCounter()
  for (const piece of pieces) counter.read(Buffer.from(piece))
  return counter.hops
}

test.each([
  ["none", "Subject: x\r\n\r\n", 0],
  ["two, in any case", "Received: a\r\nRECEIVED: b\r\n\r\n", 2],
  ["not in the middle of a line", "X: Received: a\r\n\r\n", 0],
  ["not in a folded line", "X: a\r\n Received: b\r\n\r\n", 0],
  ["not what only begins like it", "Received-SPF: a\r\nReceive: b\r\n\r\n", 0],
  ["not in the body", "Received: a\r\n\r\nReceived: b\r\n", 1],
  ["not in a body without a header", "\r\nReceived: b\r\n", 0],
])("%s", (_name, text, count) => {
  expect(hops(text)).toBe(count)
  expect(hops(...text.split(""))).toBe(count)
})
