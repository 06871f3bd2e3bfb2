import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "06-peer-web",
  "Peer web",
  "Can Bob read what passes when he is Dave's reverse proxy?",
)

scene("Request and page both end at Bob's relay and begin anew", async ({ bob, carol, dave, eve }) => {
  dave.shows("The spare key is in the shed")
  await bob.carries(dave, { http: "peer" })
  await bob.wasWarned("WP102 relay-reads-web", "dave/http")
  await eve.listensTo("http", "dave.example")

  const answered = await carol.visits("http://dave.example/note", { writes: "Meet me at noon" })
  await dave.received("Meet me at noon")
  carol.reads("The spare key is in the shed", answered)
  eve.saw("The spare key is in the shed")
  await bob.sawWhatThePolicySays("dave/http", "Meet me at noon")
  await bob.sawWhatThePolicySays("dave/http", "The spare key is in the shed")
})

answer(
  "Yes, and so can everybody on the line, because plain HTTP seals nothing. The policy says so before the relay starts.",
)
