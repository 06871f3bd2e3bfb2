import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "03-two-friends-by-sni",
  "Two friends on one port, by SNI",
  "Can Bob carry two friends' HTTPS on one address without reading either?",
)

scene("Each name leads to its own box and its own key", async ({ alice, bob, carol, dave }) => {
  alice.shows("The key is under the mat")
  dave.shows("The spare one is in the shed")
  await bob.carries(alice, { https: "dedicated", promise: "sealed" })
  await bob.carries(dave, { https: "dedicated", promise: "sealed" })

  const alices = await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
  carol.reads("The key is under the mat", alices)
  await alice.received("Meet me at noon")
  const daves = await carol.visits("https://dave.example/note", { writes: "Bring the map" })
  carol.reads("The spare one is in the shed", daves)
  await dave.received("Bring the map")

  expect([alices.sealedFor, daves.sealedFor]).toEqual(["Alice", "Dave"])
  await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
  await bob.sawWhatThePolicySays("alice/https", "The key is under the mat")
  await bob.sawWhatThePolicySays("dave/https", "Bring the map")
})

scene("A name that is nobody's leads nowhere", async ({ alice, bob, stranger }) => {
  await bob.carries(alice, { https: "dedicated", promise: "sealed" })
  expect(await stranger.asksForHttps("alice.example", "mallory.example")).toBe("alert: unrecognized_name")
  expect(await stranger.asksForHttps("alice.example", "www.alice.example")).toBe("alert: unrecognized_name")
})

answer(
  "Yes: the name in the ClientHello is in the clear and is all he needs. The handshake passes to the box it names, so each visitor gets that box's key. Names that nobody has get an alert, never somebody's page.",
)
