import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "09-a-day-away",
  "The friend who is away",
  "What becomes of Dave's mail while his box is switched off?",
)

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

scene("For a day: it waits, and comes once", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.waits(DAY_MS, "a day passes")
  await dave.comesBack()
  await bob.waits(6 * HOUR_MS, "six hours pass")
  await dave.received("Meet me at noon")
  expect(dave.countOf("Meet me at noon")).toBe(1)
  await bob.sawWhatThePolicySays("dave/smtp", "Meet me at noon")
})

scene("For longer than three weeks: it is held, and not told to a sender who may be forged", async (world) => {
  const { alice, bob, carol, dave } = world
  await bob.carries(dave, { smtp: "peer" })
  await bob.carries(alice, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon", "on nothing", "alice@alice.example")
  await bob.waits(22 * DAY_MS, "22 days pass")
  expect(await bob.looksIntoTheQueue()).toEqual([expect.stringMatching(/^held, not told: /)])
  expect(alice.countOf("Action: failed")).toBe(0)
  await bob.waits(14 * DAY_MS, "two weeks pass")
  expect(await bob.looksIntoTheQueue()).toEqual([])
})

scene("Where the relay tells senders: its sender is told, once", async ({ alice, bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", tellsSenders: true })
  await bob.carries(alice, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon", "on nothing", "alice@alice.example")
  await bob.waits(22 * DAY_MS, "22 days pass")
  await alice.received("Action: failed")
  await dave.comesBack()
  await bob.waits(DAY_MS, "another day passes")
  expect(alice.countOf("Action: failed")).toBe(1)
  expect(dave.countOf("Meet me at noon")).toBe(0)
})

answer(
  "Bob's relay has answered for it, so it keeps it and tries again, less and less often, and delivers it once when the box is back. After three weeks it gives up. Whether the sender is told is for Bob to say: without his word the mail is held, and shown to whoever looks into the queue, because a sender may be forged.",
)
