import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "14-mailbox-by-starttls",
  "A mailbox behind a shared port",
  "Can Bob learn the password of somebody who reads mail on Alice's server through his relay?",
)

scene(
  "Two servers on one port 143: each program reaches the one that it names",
  async ({ alice, bob, carol, dave }) => {
    await bob.carries(alice, { imap: "dedicated", promise: "sealed" })
    await bob.carries(dave, { imap: "dedicated" })
    const atAlice = await carol.logsIn("alice.example", "correct-horse", "on the right key")
    const atDave = await carol.logsIn("dave.example", "battery-staple", "on the right key")
    expect([atAlice.sealedFor, atDave.sealedFor]).toEqual(["Alice", "Dave"])
    await alice.received("correct-horse")
    await dave.received("battery-staple")
    await bob.sawWhatThePolicySays("alice/imap", "correct-horse")
    await bob.sawWhatThePolicySays("dave/imap", "battery-staple")
  },
)

scene("The wrong world: Bob hides STARTTLS from a program that insists on nothing", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { imap: "dedicated" })
  await bob.wasWarned("WP105 relay-could-strip-starttls", "alice/imap")
  await bob.hidesStartTlsFrom(alice, "127.0.2.1", "imap")
  await carol.logsIn("alice.example", "correct-horse", "on nothing")
  await bob.sawWhatThePolicyWarnedOf("alice/imap", "correct-horse", "WP105")
})

scene("The same Bob, and a program that insists on TLS", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { imap: "dedicated" })
  await bob.hidesStartTlsFrom(alice, "127.0.2.1", "imap")
  await carol.doesNotLogIn("alice.example", "correct-horse", "on the right key")
  await bob.didNotSee("correct-horse")
  expect(bob.verdict("alice/imap").findings.read.against).toContain("implicit-tls")
})

answer(
  "Not from a program that insists on TLS, as every one can be told to. From one that takes what is offered he could, by hiding STARTTLS; the policy warns of it (WP105) and names TLS from the first byte (port 993) as the way out.",
)
