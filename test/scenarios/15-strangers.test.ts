import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "15-strangers",
  "Strangers at the door",
  "Is Bob's relay the spammers' way in while Dave's server is away?",
)

const FIVE_MINUTES_MS = 5 * 60_000

scene("The wrong world: whatever is offered while Dave is away waits for him", async ({ bob, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer" })
  await dave.goesAway()
  expect(await stranger.mailsAs("win@stranger.example", "dave@dave.example", "You have won")).toMatch(/^250 /)
  expect(await bob.looksIntoTheQueue()).toHaveLength(1)
})

scene("Dave asks that strangers come twice: who sends spam does not", async ({ bob, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer", greylist: true })
  await dave.goesAway()
  expect(await stranger.mailsAs("win@stranger.example", "dave@dave.example", "You have won")).toMatch(/^451 4\.7\.1 /)
  expect(await bob.looksIntoTheQueue()).toEqual([])
})

scene("A mail server does, and its mail is kept and comes", async ({ bob, carol, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer", greylist: true })
  await dave.goesAway()
  expect(await stranger.mailsAs("carol@carol.example", "dave@dave.example", "Meet me at noon")).toMatch(/^451 4\.7\.1 /)
  await bob.waits(FIVE_MINUTES_MS, "five minutes pass")
  expect(await stranger.mailsAs("carol@carol.example", "dave@dave.example", "Meet me at noon")).toMatch(/^250 /)
  await dave.comesBack()
  await bob.waits(FIVE_MINUTES_MS, "five minutes pass")
  await bob.waits(FIVE_MINUTES_MS, "and five more") // a try may have failed only after the clock was turned
  await dave.received("Meet me at noon")
  await carol.mails("dave@dave.example", "Bring the map") // he is there, and judges for himself
  await dave.received("Bring the map")
})

answer(
  "Not if Dave asks for it: who offers mail that would have to be kept is told to come again in five minutes, which mail servers do and senders of spam seldom. While Dave's server is there, nobody is delayed by Bob: it judges for itself.",
)
