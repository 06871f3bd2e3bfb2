import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "07-stripped-starttls",
  "The stripped STARTTLS",
  "Can Bob read mail on a dedicated route by hiding that Alice's server offers TLS?",
)

scene("An honest relay: the offer passes, and even a sender who insists on nothing uses it", async (world) => {
  const { alice, bob, carol } = world
  await bob.carries(alice, { smtp: "dedicated", ownAddress: "127.0.2.11" })
  const sent = await carol.mails("alice@alice.example", "Meet me at noon", "on nothing")
  expect(sent.sealedFor).toBe("Alice")
  await bob.sawWhatThePolicySays("alice/smtp", "Meet me at noon")
})

scene("The wrong world: Bob hides the offer, and nobody insists", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "dedicated", ownAddress: "127.0.2.11" })
  await bob.hidesStartTlsFrom(alice, "127.0.2.11")
  const sent = await carol.mails("alice@alice.example", "Meet me at noon", "on nothing")
  expect(sent.sealedFor).toBeUndefined()
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicyWarnedOf("alice/smtp", "Meet me at noon", "WP105")
})

scene("The same Bob, and a sender who insists on Alice's key, as DANE and MTA-STS demand", async (world) => {
  const { alice, bob, carol } = world
  await bob.carries(alice, { smtp: "dedicated", ownAddress: "127.0.2.11" })
  await bob.hidesStartTlsFrom(alice, "127.0.2.11")
  await carol.doesNotMail("alice@alice.example", "Meet me at noon", "on the right key")
  await bob.didNotSee("Meet me at noon")
  expect(bob.verdict("alice/smtp").findings.read.against).toEqual(expect.arrayContaining(["dane", "mta-sts-enforce"]))
})

answer(
  "Yes, from senders who insist on nothing, and that is most of them: STARTTLS is offered in the clear. A sender who looks at Alice's DANE record or MTA-STS policy notices and sends nothing. The policy warns of it (WP105) and names these defences.",
)
