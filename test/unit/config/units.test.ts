import { expect, test } from "@jest/globals"
import { durationMs, sizeBytes } from "../../../src/config/units.ts"

test.each([
  ["250ms", 250],
  ["10s", 10_000],
  ["5 m", 300_000],
  ["2h", 7_200_000],
  ["21d", 1_814_400_000],
  ["3w", 1_814_400_000],
])("%s is %d ms", (text, ms) => {
  expect(durationMs(text)).toBe(ms)
})

test.each([
  ["512B", 512],
  ["50MB", 50_000_000],
  ["50MiB", 52_428_800],
  ["2 GiB", 2_147_483_648],
])("%s is %d bytes", (text, bytes) => {
  expect(sizeBytes(text)).toBe(bytes)
})

test.each(["10", "s", "-1s", "1.5h", "10 seconds", "5M", "1e3s", "10mb", "constructor", ""])(
  "%j has no unit we know",
  (text) => {
    expect(durationMs(text)).toBeUndefined()
    expect(sizeBytes(text)).toBeUndefined()
  },
)
