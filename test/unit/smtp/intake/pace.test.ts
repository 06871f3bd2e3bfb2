import { expect, test } from "@jest/globals"
import { GRACE_MS, Pace, RATE_BYTES_PER_S_MIN } from "../../../../src/smtp/intake/pace.ts"
import { handClock } from "../../../support/hand-clock.ts"

test("who sends nothing is too slow after the grace", async () => {
  const clock = handClock()
  const pace = new Pace(clock)
  await clock.turn(GRACE_MS - 1)
  expect(pace.leftMs()).toBe(1)
  await clock.turn(1)
  expect(pace.leftMs()).toBe(0)
})

test("bytes give time at the rate that is asked for", async () => {
  const clock = handClock()
  const pace = new Pace(clock)
  pace.received(10 * RATE_BYTES_PER_S_MIN)
  expect(pace.leftMs()).toBe(GRACE_MS + 10_000)
})

test("the time that the disk takes is not the client's", async () => {
  const clock = handClock()
  const pace = new Pace(clock)
  const disk = pace.without(new Promise<void>((resolve) => clock.after(2 * GRACE_MS, resolve)))
  await clock.turn(GRACE_MS + 1)
  expect(pace.leftMs()).toBe(GRACE_MS)
  await clock.turn(GRACE_MS - 1)
  await disk
  expect(pace.leftMs()).toBe(GRACE_MS)
})
