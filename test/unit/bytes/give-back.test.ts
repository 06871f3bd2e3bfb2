import { expect, test } from "@jest/globals"
import { giveBack } from "../../../src/bytes/give-back.ts"

test("memory of its own goes back, and nothing of it can be read any more", () => {
  const piece = Buffer.alloc(100, "a")
  giveBack(piece)
  expect(piece.length).toBe(0)
})

test("memory that others may read stays", () => {
  const whole = Buffer.alloc(100, "a")
  giveBack(whole.subarray(1))
  giveBack(whole.subarray(0, 99))
  expect(whole.toString()).toBe("a".repeat(100))
  const shared = new Uint8Array(new SharedArrayBuffer(1))
  giveBack(shared)
  expect(shared.length).toBe(1)
})
