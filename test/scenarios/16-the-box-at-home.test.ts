import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "16-the-box-at-home",
  "The box at home",
  "What at Alice's home can Bob's relay reach, once her box has dialled in?",
)

scene("One line from Bob, and Carol gets Alice's page; Bob passes ciphertext", async ({ alice, bob, carol }) => {
  alice.shows("The key is under the mat")
  await bob.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(bob, { promise: "sealed" })
  const answered = await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
  carol.reads("The key is under the mat", answered)
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
  await bob.sawWhatThePolicySays("alice/https", "The key is under the mat")
})

scene("What Bob ends himself, he reads, though it goes home inside the tunnel", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { smtp: "peer", byTunnel: true })
  await alice.joins(bob)
  await carol.mails("alice@alice.example", "Bring the map")
  await alice.received("Bring the map")
  await bob.sawWhatThePolicySays("alice/smtp", "Bring the map")
})

scene("Bob asks her box for her router's web page", async ({ alice, bob, stranger }) => {
  await bob.carries(alice, { https: "dedicated", tcp: "dedicated", asksFor: "router", byTunnel: true })
  await alice.joins(bob, { serves: { https: "https" } })
  expect(await stranger.speaksTo("alice.example", "GET /password")).toBe("")
  await alice.program.logged("service refused", { service: "router" }, "her box has no service called router")
  expect(alice.countOf("GET /password")).toBe(0)
})

scene("The wrong world: Alice's own file names her router", async ({ alice, bob, stranger }) => {
  await bob.carries(alice, { https: "dedicated", tcp: "dedicated", asksFor: "router", byTunnel: true })
  await alice.joins(bob, { serves: { https: "https", router: "tcp" } })
  expect(await stranger.speaksTo("alice.example", "GET /password")).toBe("heard")
  await alice.received("GET /password")
  await bob.sawWhatThePolicyWarnedOf("alice/tcp", "GET /password", "WP106")
})

answer(
  "The services that Alice's own file lists, and nothing else: a relay can ask for a name and never for an address. What it could read of them is what it could read without a tunnel.",
)
