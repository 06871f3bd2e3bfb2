import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { RETRY_FIRST_MS, RETRY_LONGEST_MS, retryDelayMs } from "../../../../src/smtp/delivery/back-off.ts"

test("it doubles up to an hour", () => {
  const minutes = [1, 2, 3, 4, 5, 6, 500].map((tries) => retryDelayMs(tries, () => 0) / 60_000)
  expect(minutes).toEqual([5, 10, 20, 40, 60, 60, 60])
})

test("chance shortens it by a quarter at most", () => {
  const chance = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10_000 }), chance, (tries, toss) => {
      const delayMs = retryDelayMs(tries, () => toss)
      expect(delayMs).toBeGreaterThanOrEqual(RETRY_FIRST_MS * 0.75)
      expect(delayMs).toBeLessThanOrEqual(RETRY_LONGEST_MS)
      expect(Number.isInteger(delayMs)).toBe(true)
    }),
  )
})
