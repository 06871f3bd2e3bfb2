import { expect, test } from "@jest/globals"
import { fault } from "../../../../src/faults/faults.ts"
import { RecentRefusals, REMEMBERED_MS } from "../../../../src/smtp/intake/recent-refusals.ts"
import { handClock } from "../../../support/hand-clock.ts"

test("a friend without room is remembered for a moment, and nobody else is", async () => {
  const clock = handClock()
  const refusals = new RecentRefusals(clock)
  const full = fault("QUOTA_FULL", "dave")
  refusals.remember("dave", full)
  expect(refusals.current("dave")).toEqual(full)
  expect(refusals.current("alice")).toBeUndefined()
  await clock.turn(REMEMBERED_MS)
  expect(refusals.current("dave")).toBeUndefined()
})

test("what is wrong with one message says nothing about the next", () => {
  const refusals = new RecentRefusals(handClock())
  refusals.remember("dave", fault("MESSAGE_TOO_LARGE", ""))
  refusals.remember("dave", fault("SPOOL_FAILED", ""))
  expect(refusals.current("dave")).toBeUndefined()
})
