import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter("25-late-mail", "Why is my mail late?", "Who can ask Bob's relay about Dave's mail?")

const DAY_MS = 24 * 3_600_000

scene("Dave can, with a token: what waits for him, and why", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", asksAboutMail: true })
  await bob.givesToken(dave)
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.waits(DAY_MS, "a day passes")
  expect(await bob.isAskedAboutMail(dave)).toHaveLength(1)
})

scene("Alice cannot: with her own token Dave's mail is not there", async ({ alice, bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", asksAboutMail: true })
  await bob.carries(alice, { smtp: "peer" })
  await bob.givesToken(alice)
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  expect(await bob.isAskedAboutMail(alice)).toEqual([])
})

scene("A stranger who asks for it by ETRN says a word that nobody knows", async ({ bob, carol, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  expect(await stranger.says("dave.example", "ETRN dave.example")).toMatch(/^500 /)
  expect(await stranger.says("dave.example", "ETRN nobody.example")).toMatch(/^500 /)
})

answer(
  "Dave, and for his own mail alone: what waits, since when, why, and when it is tried next; and he can hold, release, redirect or delete it. To Alice it is as if there were none, whatever she asks for; and a stranger does not even learn that there is something to ask.",
)
