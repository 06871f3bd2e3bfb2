import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "21-who-wrote",
  "Who wrote it",
  "Does Dave's filter still know who wrote, when his mail comes by way of Bob?",
)

/** What a stranger writes on top of his mail, in the relay's name. */
const FORGED = "Authentication-Results: relay.bob.example; spf=pass; dmarc=pass"
const CAROL = "carol@carol.example"

scene("The wrong world: a relay that looks at nothing, and a stranger in Carol's name", async (world) => {
  const { bob, dave, stranger } = world
  await bob.carries(dave, { smtp: "peer" })
  expect(await stranger.mailsAs(CAROL, "dave@dave.example", "You have won")).toMatch(/^250 /)
  await dave.received("You have won")
  expect(dave.countOf("dmarc=")).toBe(0) // and the address that his own filter sees is Bob's
})

scene("Dave asks Bob's relay who writes: the stranger is told apart from Carol", async (world) => {
  const { bob, carol, dave, stranger } = world
  await bob.carries(dave, { smtp: "peer", authenticate: true })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await dave.received("dmarc=pass")
  await stranger.mailsAs(CAROL, "dave@dave.example", "You have won")
  await dave.received("dmarc=fail")
})

scene("A stranger who forges the results too gains nothing", async ({ bob, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer", authenticate: true })
  await stranger.mailsAs(CAROL, "dave@dave.example", "You have won", FORGED)
  await dave.received("dmarc=fail")
  expect(dave.countOf("dmarc=pass")).toBe(0)
})

scene("So it is with mail that was kept while Dave was away", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", authenticate: true })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  await dave.comesBack()
  await bob.waits(3_600_000, "an hour passes")
  await dave.received("dmarc=pass")
})

answer(
  "Yes, if Dave asks for it: Bob's relay sees who hands a mail in, so it looks while it comes, and says in the header what SPF, DKIM and DMARC came to. What a stranger writes there in the relay's name is taken out. Dave's filter has to believe the relay in this, which reads the mail anyway.",
)
