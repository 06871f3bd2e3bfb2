import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter("05-peer-mail", "Peer mail", "Can Bob read Dave's mail when he is his backup MX?")

scene("TLS ends at Bob's relay, which hands the mail on", async ({ bob, carol, dave, eve }) => {
  await bob.carries(dave, { smtp: "peer", recipients: ["dave"] })
  await bob.wasWarned("WP101 relay-reads-mail", "dave/smtp")
  await bob.wasWarned("WP103 relay-keeps-mail-in-clear", "dave/smtp")
  await eve.listensTo("smtp", "dave.example")

  const sent = await carol.mails("dave@dave.example", "Meet me at noon")
  expect(sent.sealedFor).toBe("Bob")
  await dave.received("Meet me at noon")
  eve.didNotSee("Meet me at noon")
  await bob.sawWhatThePolicySays("dave/smtp", "Meet me at noon")
})

scene("While Dave is away, Bob keeps the mail on his disk as it came", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", cutThrough: false })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.keepsWhatThePolicySays("dave/smtp", "Meet me at noon")
})

scene("A sender who insists on Dave's key does not send", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer" })
  await carol.doesNotMail("dave@dave.example", "Meet me at noon", "on the right key")
  await bob.didNotSee("Meet me at noon")
})

answer(
  "Yes. He is an end of the connection: he reads the mail, and it waits on his disk in the clear. The policy says so before the relay starts, and names what would prevent it: a dedicated route, or content that its sender encrypts.",
)
