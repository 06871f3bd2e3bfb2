import { expect } from "@jest/globals"
import { newIdentity, recipientOf } from "../../src/seal/seal.ts"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "24-sealed-spool",
  "The sealed spool",
  "What does a thief of Bob's disk learn of Dave's mail?",
)

const HOUR_MS = 3_600_000

scene("The wrong world: what waits for Dave lies on the disk as it came", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", byTunnel: true })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.keepsWhatThePolicySays("dave/smtp", "Meet me at noon")
  await bob.wasWarned("WP103 relay-keeps-mail-in-clear", "dave/smtp")
})

scene("Sealed to Dave's box: nothing of it can be read there, and he gets it whole", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", byTunnel: true, sealedTo: await dave.recipient() })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.keepsWhatThePolicySays("dave/smtp", "Meet me at noon")
  await bob.keepsWhatThePolicySays("dave/smtp", "Received: from")
  await dave.joins(bob)
  await dave.received("Meet me at noon")
  expect(dave.countOf("Meet me at noon")).toBe(1)
})

scene("Sealed to a key of somebody else's: Dave's box says so, and opens nothing", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", byTunnel: true, sealedTo: await recipientOf(await newIdentity()) })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await dave.joins(bob)
  await dave.program.logged("mail will not open", { code: "SEALED_TO_ANOTHER" }, "his box holds another key")
  expect(dave.countOf("Meet me at noon")).toBe(0)
})

scene("Bob himself still reads it while it passes", async ({ bob, carol, dave }) => {
  await bob.carries(dave, { smtp: "peer", byTunnel: true, sealedTo: await dave.recipient() })
  await carol.mails("dave@dave.example", "Meet me at noon")
  await bob.sawWhatThePolicySays("dave/smtp", "Meet me at noon")
})

scene("A notice about sealed mail returns nothing of it", async ({ alice, bob, carol, dave }) => {
  await bob.carries(alice, { smtp: "peer" })
  await bob.carries(dave, { smtp: "peer", byTunnel: true, sealedTo: await dave.recipient(), tellsSenders: true })
  await carol.mails("dave@dave.example", "Meet me at noon", "on nothing", "alice@alice.example")
  await bob.waits(22 * 24 * HOUR_MS, "22 days pass")
  await alice.received("Action: failed")
  expect(alice.countOf("Meet me at noon")).toBe(0)
})

answer(
  "Who wrote to him, when, and how much, and nothing that they wrote. Content is encrypted to the key of Dave's box while it streams in, header and all. From Bob himself that protects nothing: he has it in the clear while it passes, and could seal it to another key too; the policy says so.",
)
