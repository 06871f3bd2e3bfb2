import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "17-two-relays",
  "Two relays",
  "What do visitors and senders lose when one of Alice's two relays dies?",
)

scene("Erin's relay dies, and Bob's carries on", async ({ alice, bob, carol, erin }) => {
  for (const relay of [bob, erin]) {
    await relay.carries(alice, { https: "dedicated", byTunnel: true })
    await alice.joins(relay)
  }
  expect((await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })).sealedFor).toBe("Alice")
  await erin.dies()
  await alice.program.isNotAttached("Erin", "connect ECONNREFUSED")
  await carol.cannotVisit("https://alice.example/note")
  bob.isNamed()
  await carol.visits("https://alice.example/note", { writes: "Bring the map" })
  await alice.received("Bring the map")
  await bob.sawWhatThePolicySays("alice/https", "Bring the map")
})

scene("Erin's relay is back: nobody has to do anything", async ({ alice, carol, erin }) => {
  await erin.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(erin)
  await erin.dies()
  await erin.isBack()
  await alice.program.isAttachedTo("Erin")
  await carol.visits("https://alice.example/note", { writes: "And a torch" })
  await erin.sawWhatThePolicySays("alice/https", "And a torch")
})

scene("Mail that Erin keeps while Alice is cut off comes home with the tunnel, once", async (world) => {
  const { alice, bob, carol, erin } = world
  for (const relay of [bob, erin]) {
    await relay.carries(alice, { smtp: "peer", byTunnel: true })
    await alice.joins(relay)
  }
  await alice.program.stops()
  await carol.mails("alice@alice.example", "Meet me at noon")
  await erin.keepsWhatThePolicySays("alice/smtp", "Meet me at noon")
  expect(await bob.keepsOnDisk("Meet me at noon")).toBe(false)
  await alice.program.starts()
  await alice.received("Meet me at noon")
  await erin.hasNothingLeft()
  expect(alice.countOf("Meet me at noon")).toBe(1)
})

scene("The wrong world: one relay alone", async ({ alice, carol, erin }) => {
  await erin.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(erin)
  await erin.dies()
  await carol.cannotVisit("https://alice.example/note")
})

answer(
  "Who is under way at that moment; nobody who comes afterwards and tries the next address. A tunnel to each relay is up all the time, so nothing has to be noticed first, and mail that one relay kept comes home when its tunnel is back.",
)
