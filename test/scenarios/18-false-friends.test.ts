import { expect } from "@jest/globals"
import { Box } from "./cast/box.ts"
import { falseRelay } from "./cast/false-relay.ts"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "18-false-friends",
  "False friends",
  "What does a stranger win who poses as Bob, who gets hold of Alice's invitation, or who asks Bob for her name?",
)

scene("At Bob's address answers somebody with another key", async ({ alice, bob, story }) => {
  await bob.carries(alice, { smtp: "peer", byTunnel: true })
  await alice.joins(bob)
  await bob.dies()
  await using impostor = await falseRelay(bob.tunnelPlace, story)
  await alice.program.isNotAttached("Bob", "this is not the relay we know: it shows another key")
  impostor.heardNothing()
})

scene(
  "The wrong world: the key in the line was exchanged on its way",
  async ({ alice, bob, carol, directory, story }) => {
    await bob.carries(alice, { smtp: "peer", byTunnel: true })
    const line = await bob.invites(alice)
    await using impostor = await falseRelay(undefined, story)
    await using thief = await Box.open("Stranger", "127.0.1.3", story)
    const secret = await impostor.secretOf(alice, impostor.inPlaceOf(line))
    await thief.joins(bob, { line: line.replace(/[^.]+$/, secret) })
    await carol.mails("alice@alice.example", "Meet me at noon")
    await thief.received("Meet me at noon")
    expect([alice.countOf("Meet me at noon"), directory.where("smtp", "alice.example").address]).toEqual([
      0,
      "127.0.2.1",
    ])
  },
)

scene("Somebody read the line and was faster: Alice is told, and one command puts him out", async (world) => {
  const { alice, bob, carol, story } = world
  await bob.carries(alice, { smtp: "peer", byTunnel: true })
  const line = await bob.invites(alice)
  await using thief = await Box.open("Stranger", "127.0.1.3", story)
  await thief.joins(bob, { line })
  expect(await alice.isRefused("Bob", line)).toContain("the invitation was used, has expired or was replaced")
  const again = await bob.invites(alice, "--replace")
  await thief.program.isNotAttached("Bob", "it does not know this box's key")
  await alice.joins(bob, { line: again })
  await carol.mails("alice@alice.example", "Meet me at noon")
  await alice.received("Meet me at noon")
  expect(thief.countOf("Meet me at noon")).toBe(0)
})

scene("The wrong world: nobody tries the line a second time", async ({ alice, bob, carol, story }) => {
  await bob.carries(alice, { smtp: "peer", byTunnel: true })
  await using thief = await Box.open("Stranger", "127.0.1.3", story)
  await thief.joins(bob, { line: await bob.invites(alice) })
  await carol.mails("alice@alice.example", "Meet me at noon")
  await thief.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/smtp", "Meet me at noon")
})

scene("Somebody asks Bob for the name that was Alice's", async ({ alice, bob, carol, story }) => {
  await bob.carries(alice, { smtp: "peer" })
  await using thief = await Box.open("Stranger", "127.0.1.3", story)
  bob.strikesOut(alice)
  const why = await bob.refusesToCarry(thief, { smtp: "peer", domains: [alice.domain] })
  expect(why).toMatch(/relay\.yaml:6:15: .*; if alice agreed, takes-over: /)
  const { code, out } = await bob.checks()
  expect({ code, out }).toEqual({ code: 78, out: `${why}\n` })
  await carol.mails("alice@alice.example", "Meet me at noon")
  await alice.received("Meet me at noon")
  expect(thief.countOf("Meet me at noon")).toBe(0)
})

scene("The wrong world: Bob writes that she has agreed", async ({ alice, bob, carol, story }) => {
  await bob.carries(alice, { smtp: "peer" })
  await using thief = await Box.open("Stranger", "127.0.1.3", story)
  bob.strikesOut(alice)
  await bob.carries(thief, { smtp: "peer", domains: [alice.domain], takesOver: [alice.domain] })
  await carol.mails("alice@alice.example", "Meet me at noon")
  await thief.received("Meet me at noon")
  expect(alice.countOf("Meet me at noon")).toBe(0)
})

answer(
  "Nothing from the box: it knows its relay by the key in the line, and says no word to another one. A line that he reads works for him once, so send it as you would send a password; whoever comes second is refused and told, and `waypost invite --replace` revokes the key that came first. Her name he gets 30 days after she has left, or when Bob writes into his file that she has agreed: that he does not do so untruly is among the things she trusts him with.",
)
