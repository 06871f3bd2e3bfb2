import { expect, test } from "@jest/globals"
import { turnedClock } from "../../scenarios/cast/turned-clock.ts"

const DAY_MS = 24 * 3_600_000

test("time passes in a moment, and what was due has happened in order", async () => {
  const clock = turnedClock()
  const start = clock.now()
  const happened: string[] = []
  clock.after(DAY_MS / 2, () => happened.push("noon"))
  clock.after(DAY_MS / 4, () => {
    happened.push("morning")
    clock.after(DAY_MS / 2, () => happened.push("evening"))
  })
  const forgetTomorrow = clock.after(2 * DAY_MS, () => happened.push("tomorrow"))
  clock.after(DAY_MS / 3, () => happened.push("never"))()
  await clock.turn(DAY_MS)
  expect(happened).toEqual(["morning", "noon", "evening"])
  forgetTomorrow()
  expect(clock.now() - start).toBeGreaterThanOrEqual(DAY_MS)
})
