import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "12-the-next-hop",
  "Between Bob and Dave",
  "Can somebody between Bob's relay and Dave's server take the mail?",
)

const HOUR_MS = 3_600_000

scene("The wrong world: Bob asks nobody for a name, and Eve answers at Dave's address", async (world) => {
  const { bob, carol, dave } = world
  await bob.carries(dave, { smtp: "peer" })
  await using eve = await dave.isReplacedBy("Eve")
  await carol.mails("dave@dave.example", "Meet me at noon")
  await eve.got("Meet me at noon")
})

scene("Bob was told Dave's key: Eve gets nothing, and the mail waits for Dave", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", tls: "pinned" })
  {
    await using eve = await dave.isReplacedBy("Eve")
    await carol.mails("dave@dave.example", "Meet me at noon")
    await eve.gotNothing()
  }
  await dave.comesBack()
  await bob.waits(HOUR_MS, "an hour passes")
  await dave.received("Meet me at noon")
})

answer(
  "Not where Bob was told whose key to insist on: then the mail waits until the right server is there, and the queue says why. Without it TLS is between Bob and whoever answers.",
)
