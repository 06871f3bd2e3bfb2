import { expect, test } from "@jest/globals"
import { OutgoingAccounts } from "../../../src/relay/outgoing-accounts.ts"
import { handClock } from "../../support/hand-clock.ts"

const HALF_AN_HOUR_MS = 30 * 60_000

test("so many at once, and then the next when one has ended", () => {
  const accounts = new OutgoingAccounts(handClock())
  const limits = { connectionsMax: 2, connectionsPerHourMax: 100 }
  const first = accounts.begin("alice", limits)
  expect(accounts.begin("alice", limits)).toBeDefined()
  expect(accounts.begin("alice", limits)).toBeUndefined()
  expect(accounts.begin("dave", limits)).toBeDefined()
  first?.()
  expect(accounts.begin("alice", limits)).toBeDefined()
  expect(accounts.of("alice")).toEqual({ running: 2, lastHour: 3 })
})

test("so many in any hour, however short each is", async () => {
  const clock = handClock()
  const accounts = new OutgoingAccounts(clock)
  const limits = { connectionsMax: 5, connectionsPerHourMax: 2 }
  accounts.begin("alice", limits)?.()
  await clock.turn(HALF_AN_HOUR_MS)
  accounts.begin("alice", limits)?.()
  expect(accounts.begin("alice", limits)).toBeUndefined()
  await clock.turn(HALF_AN_HOUR_MS)
  expect(accounts.begin("alice", limits)).toBeDefined()
  expect(accounts.begin("alice", limits)).toBeUndefined()
  expect(accounts.of("alice")).toEqual({ running: 1, lastHour: 2 })
})

test("who had none within the last hour has no line", () => {
  expect(new OutgoingAccounts(handClock()).of("alice")).toBeUndefined()
})

test("what became of them is counted by friend and outcome", () => {
  const accounts = new OutgoingAccounts(handClock())
  for (const outcome of ["opened", "OUTGOING_PLACE", "opened"] as const) accounts.count("alice", outcome)
  expect(accounts.outcomes()).toEqual([
    { labels: { friend: "alice", outcome: "opened" }, connections: 2 },
    { labels: { friend: "alice", outcome: "OUTGOING_PLACE" }, connections: 1 },
  ])
})
