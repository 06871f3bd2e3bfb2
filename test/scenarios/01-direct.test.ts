import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter("01-direct", "Direct", "What could Bob read if Alice's names led to her own box?")

scene("Mail and web go straight home", async ({ alice, bob, carol }) => {
  alice.shows("The key is under the mat")
  await carol.mails("alice@alice.example", "Meet me at noon")
  await alice.received("Meet me at noon")
  bob.isNotOnTheWay("alice/smtp", "smtp", "Meet me at noon")

  const answered = await carol.visits("https://alice.example/note", { writes: "Bring the map" })
  carol.reads("The key is under the mat", answered)
  await alice.received("Bring the map")
  bob.isNotOnTheWay("alice/https", "tls", "Bring the map")
})

scene("Somebody listens on the line", async ({ alice, carol, eve }) => {
  await eve.listensTo("smtp", "alice.example")
  await carol.mails("alice@alice.example", "Meet me at noon")
  eve.didNotSee("Meet me at noon")
  await carol.mails("alice@alice.example", "And bring a torch", "on no TLS")
  eve.saw("And bring a torch")
  await alice.received("And bring a torch")
})

answer(
  "Nothing: no byte passes him. Who listens on the line reads only what was sent without TLS. Every other mode is measured against this one.",
)
