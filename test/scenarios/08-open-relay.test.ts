import { expect } from "@jest/globals"
import { at } from "../support/loopback.ts"
import { mailRoute, startMailHost } from "../support/smtp-dialogue.ts"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "08-open-relay",
  "The open relay",
  "Can a stranger make Bob's relay send mail to somebody who is not his friend?",
)

/** Every way to name a victim elsewhere that mail servers have fallen for. */
const BATTERY = [
  "<victim@elsewhere.example>",
  "<victim%elsewhere.example@dave.example>",
  "<elsewhere.example!victim@dave.example>",
  "<@dave.example:victim@elsewhere.example>",
  '<"victim@elsewhere.example"@dave.example>',
  "<victim@elsewhere.example@dave.example>",
  "<victim@[127.0.0.1]>",
  "<victim>",
]

scene("Nobody but Bob's friends can be written to", async ({ bob, dave, stranger }) => {
  await bob.carries(dave, { smtp: "peer", recipients: ["dave"] })
  for (const victim of BATTERY) expect(await stranger.offersMail("dave.example", victim)).toMatch(/^5\d\d /)
  expect(await stranger.offersMail("dave.example", "<nobody@dave.example>")).toMatch(/^550 5\.1\.1 /)
  expect(await stranger.offersMail("dave.example", "<dave@dave.example>")).toMatch(/^250 /)
})

scene("Bob need not know whom Dave gets mail for: he has hashes, and still refuses everybody else", async (world) => {
  const { bob, dave, stranger } = world
  await bob.carries(dave, { smtp: "peer", hashedRecipients: ["dave@dave.example", "erin@dave.example"] })
  await dave.goesAway()
  expect(await stranger.offersMail("dave.example", "<nobody@dave.example>")).toMatch(/^550 5\.1\.1 /)
  expect(await stranger.offersMail("dave.example", "<Dave+news@dave.example>")).toMatch(/^250 /)
  await bob.didNotSee("erin@dave.example")
})

scene("The wrong world: a relay that takes every domain for a friend's", async ({ directory, stranger }) => {
  await using unguarded = await startMailHost({ routeFor: () => mailRoute("dave", { kind: "any" }) })
  directory.names("smtp", "dave.example", at("127.0.0.1", unguarded.port))
  expect(await stranger.offersMail("dave.example", "<victim@elsewhere.example>")).toMatch(/^250 /)
})

answer(
  "No. Only addresses at a friend's domains are taken, and none that hides a second address inside. With that one guard removed the first attempt succeeds, so it is the guard that this chapter tests.",
)
