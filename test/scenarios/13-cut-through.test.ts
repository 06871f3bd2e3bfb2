import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "13-cut-through",
  "Cut-through",
  "Who hears of it when Dave's server refuses what Bob's relay was handed?",
)

scene("The wrong world: a relay that takes first and asks afterwards", async ({ alice, bob, dave, stranger }) => {
  await bob.carries(alice, { smtp: "peer" })
  await bob.carries(dave, { smtp: "peer", cutThrough: false, tellsSenders: true })
  dave.knowsOnly("dave")
  expect(await stranger.mailsAs("alice@alice.example", "nobody@dave.example", "You have won")).toMatch(/^250 /)
  await alice.received("Action: failed")
  await alice.received("nobody@dave.example")
  expect(dave.countOf("You have won")).toBe(0)
})

scene(
  "While Dave's server is there, the stranger hears its own reply, and nobody else hears anything",
  async (world) => {
    const { alice, bob, dave, stranger } = world
    await bob.carries(alice, { smtp: "peer" })
    await bob.carries(dave, { smtp: "peer" })
    dave.knowsOnly("dave")
    const reply = await stranger.mailsAs("alice@alice.example", "nobody@dave.example", "You have won")
    expect(reply).toBe("550 5.1.1 Nobody of that name lives here")
    await bob.keepsNothingOf("dave/smtp", "You have won")
    await bob.waits(3_600_000, "an hour passes")
    expect(alice.countOf("Action: failed")).toBe(0)
  },
)

scene("What Dave's server takes was never kept by Bob, though he reads it", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer" })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await dave.received("Meet me at noon")
  await bob.keepsNothingOf("dave/smtp", "Meet me at noon")
  await bob.sawWhatThePolicySays("dave/smtp", "Meet me at noon")
  expect(dave.countOf("Meet me at noon")).toBe(1)
})

scene("While Dave is away the mail is kept, and comes once when he is back", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.keepsWhatThePolicySays("dave/smtp", "Meet me at noon")
  await dave.comesBack()
  await bob.waits(3_600_000, "an hour passes")
  await dave.received("Meet me at noon")
  expect(dave.countOf("Meet me at noon")).toBe(1)
})

answer(
  "Whoever handed it in, and nobody else. The relay holds the sender's session and passes Dave's own reply back, so a refusal reaches the machine that is on the line and never somebody whose name was forged. Only while Dave's server is away is mail kept, and the policy says so.",
)
