import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "20-in-the-middle",
  "In the middle",
  "Bob says that he cannot read Alice's pages. How does she find out if he does?",
)

const CARRIES = { https: "dedicated", ipv6Only: true, byTunnel: true } as const

scene("Her box visits itself through Bob, and sees a key that is not hers", async ({ alice, bob, carol }) => {
  await bob.carries(alice, CARRIES)
  await bob.standsBetween(alice)
  await alice.joins(bob, { promise: "sealed" })
  await alice.program.logged("detached", { code: "ANOTHER_KEY" }, "her box was shown another key than its own, twice")
  await alice.program.isNotAttached("Bob", "ANOTHER_KEY")
  await carol.cannotVisit("https://alice.example/note")
  expect(alice.program.stands("Bob")).toMatch(/^DETACHED/)
})

scene("The wrong world: a box that does not look", async ({ alice, bob, carol }) => {
  alice.shows("The key is under the mat")
  await bob.carries(alice, CARRIES)
  await bob.standsBetween(alice)
  await alice.joins(bob, { promise: "sealed", probes: false })
  const answered = await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
  expect(answered.sealedFor).toBe("Bob")
  carol.reads("The key is under the mat", answered)
  await alice.received("Meet me at noon")
  await bob.posedAsThePolicyWarnedOf("alice/https", "Meet me at noon")
  await bob.posedAsThePolicyWarnedOf("alice/https", "The key is under the mat")
})

answer(
  "Her box visits its own name through his relay, soon after it has attached and now and then, and compares keys. Another one, seen twice, and it leaves, loudly. A Bob who lets just this visit pass is not found so; for him there are CAA, which keeps authorities from certifying his key, and the logs of certificates.",
)
