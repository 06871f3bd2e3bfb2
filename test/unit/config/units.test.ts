import { expect, test } from "@jest/globals"
import { bytesPerSecond, durationMs, sizeBytes } from "../../../src/config/units.ts"

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

test.each([
  ["10MB/s", 10_000_000],
  ["10 MiB/s", 10_485_760],
  ["80Mbit/s", 10_000_000],
  ["500 kbit/s", 62_500],
  ["1Gbit/s", 125_000_000],
])("%s is %d bytes per second", (text, bytes) => {
  expect(bytesPerSecond(text)).toBe(bytes)
})

test.each(["10MB", "10/s", "10", "/s", "10MB/m", "10Mb/s", "10 mbit/s", "10 bit/s", "10MB/s/s", "-1MB/s"])(
  "%j is no rate",
  (text) => {
    expect(bytesPerSecond(text)).toBeUndefined()
  },
)

test.each(["10", "s", "-1s", "1.5h", "10 seconds", "5M", "1e3s", "10mb", "constructor", ""])(
  "%j has no unit we know",
  (text) => {
    expect(durationMs(text)).toBeUndefined()
    expect(sizeBytes(text)).toBeUndefined()
  },
)
