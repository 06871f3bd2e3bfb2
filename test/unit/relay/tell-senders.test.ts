import { expect, test } from "@jest/globals"
import { PreludeAccounts } from "../../../src/relay/prelude-accounts.ts"
import { TELL_SENDERS_EVERY_MS, tellSenders } from "../../../src/relay/tell-senders.ts"
import { handClock } from "../../support/hand-clock.ts"

/** A box that notes what it is told. */
function box(takes = true) {
  const told: string[] = []
  const { promise: gone, resolve: leave } = Promise.withResolvers<void>()
  const tellSendersTo = async (counts: string) => {
    told.push(counts)
    return takes
  }
  return { told, leave, end: { gone, tellSenders: tellSendersTo } }
}

test("a box is told when it attaches, and again when there is something new", async () => {
  const clock = handClock()
  const { told, end } = box()
  let counts = "one"
  tellSenders(end, () => counts, clock)
  await clock.turn(3 * TELL_SENDERS_EVERY_MS)
  expect(told).toEqual(["one"])
  counts = "two"
  await clock.turn(TELL_SENDERS_EVERY_MS)
  expect(told).toEqual(["one", "two"])
})

test("a box that does not listen is told once", async () => {
  const clock = handClock()
  const { told, end } = box(false)
  let counts = 0
  tellSenders(end, () => String((counts += 1)), clock)
  await clock.turn(3 * TELL_SENDERS_EVERY_MS)
  expect(told).toEqual(["1"])
})

test("a box that has left is told nothing", async () => {
  const clock = handClock()
  const { told, leave, end } = box()
  let counts = 0
  tellSenders(end, () => String((counts += 1)), clock)
  await clock.turn(0)
  leave()
  await clock.turn(3 * TELL_SENDERS_EVERY_MS)
  expect(told).toEqual(["1"])
})

test("a friend sees his own counts: neither another's, nor who named nobody", () => {
  const accounts = new PreludeAccounts()
  accounts.count("smtp", "alice", "named", "carried")
  accounts.count("smtp", "dave", "home-away", "refused")
  accounts.count("smtp", undefined, "without-name", "refused")
  accounts.took("smtp", "alice", "without-name")
  accounts.took("smtp", "dave", "without-tls")
  const labels = { listener: "smtp", friend: "alice" }
  expect(accounts.of("alice")).toEqual({
    connections: [{ labels: { ...labels, sender: "named", outcome: "carried" }, connections: 1 }],
    mails: [{ labels: { ...labels, sender: "without-name" }, mails: 1 }],
  })
})
