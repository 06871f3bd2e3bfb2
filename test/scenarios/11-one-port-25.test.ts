import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "11-one-port-25",
  "Many friends on one port 25",
  "Can Bob carry the mail of two friends on one port 25 and read neither's?",
)

scene("Every sender names a host in the TLS that follows STARTTLS", async ({ alice, bob, carol, dave }) => {
  await bob.carries(alice, { smtp: "dedicated" })
  await bob.carries(dave, { smtp: "dedicated" })
  const toAlice = await carol.mails("alice@alice.example", "Meet me at noon", "on the right key")
  const toDave = await carol.mails("dave@dave.example", "Bring the map", "on the right key")
  expect([toAlice.sealedFor, toDave.sealedFor]).toEqual(["Alice", "Dave"])
  await alice.received("Meet me at noon")
  await dave.received("Bring the map")
  await bob.sawWhatThePolicySays("alice/smtp", "Meet me at noon")
  await bob.sawWhatThePolicySays("dave/smtp", "Bring the map")
})

scene("A sender who names nobody is told why, and keeps the mail", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "dedicated" })
  const reply = await carol.isTurnedAwayNamingNobody("alice@alice.example", "Meet me at noon")
  expect(reply).toMatch(/^421 4\.7\.0 Your TLS names no host/)
  await bob.didNotSee("Meet me at noon")
})

scene("Unless Alice lets Bob be the end for such senders: then he reads", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "dedicated", otherwise: "peer" })
  await bob.wasWarned("WP101 relay-reads-mail", "alice/smtp")
  const sent = await carol.mailsNamingNobody("alice@alice.example", "Meet me at noon")
  expect(sent.sealedFor).toBe("Bob")
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/smtp", "Meet me at noon")
})

scene("Alice's box is away: the sender is told before any envelope, or Bob keeps the mail", async (world) => {
  const { alice, dave, bob, carol } = world
  await bob.carries(alice, { smtp: "dedicated" })
  await bob.carries(dave, { smtp: "dedicated", otherwise: "peer" })
  await alice.goesAway()
  await dave.goesAway()
  await carol.doesNotMail("alice@alice.example", "Meet me at noon", "on nothing")
  await bob.didNotSee("Meet me at noon")
  const kept = await carol.mails("dave@dave.example", "Bring the map", "on nothing")
  expect(kept.sealedFor).toBe("Bob")
  await bob.sawWhatThePolicySays("dave/smtp", "Bring the map")
})

scene("The wrong world: Bob hides STARTTLS on the port that all share", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "dedicated" })
  await bob.wasWarned("WP105 relay-could-strip-starttls", "alice/smtp")
  await bob.hidesStartTlsFrom(alice, "127.0.2.1")
  await carol.mails("alice@alice.example", "Meet me at noon", "on nothing")
  await bob.sawWhatThePolicyWarnedOf("alice/smtp", "Meet me at noon", "WP105")
})

scene(
  "The same Bob, and a sender who looks at Alice's DANE record or MTA-STS policy",
  async ({ alice, bob, carol }) => {
    await bob.carries(alice, { smtp: "dedicated" })
    await bob.hidesStartTlsFrom(alice, "127.0.2.1")
    await carol.doesNotMail("alice@alice.example", "Meet me at noon", "on the right key")
    await bob.didNotSee("Meet me at noon")
  },
)

answer(
  "Yes, where senders say whom they mean: the name stands in the ClientHello behind STARTTLS, which Bob reads and passes on. Senders with DANE or MTA-STS always say it. Others are told to try again, before Bob has heard of any mail, or reach Bob himself where Alice allows that, and the policy says that he reads those.",
)
