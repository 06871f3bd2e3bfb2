import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "04-https-without-sni",
  "HTTPS without SNI",
  "Where does a visitor go whose TLS names nobody?",
)

scene("On a shared address: nowhere", async ({ alice, bob, stranger }) => {
  await bob.carries(alice, { https: "dedicated" })
  expect(await stranger.asksForHttps("alice.example", undefined)).toBe("alert: unrecognized_name")
})

scene(
  "On a shared address with a default: to the friend whom Bob chose for it",
  async ({ alice, bob, carol, dave }) => {
    await bob.carries(alice, { https: "dedicated", getsTheNameless: true })
    await bob.carries(dave, { https: "dedicated" })
    const answered = await carol.visits("https://dave.example/note", { writes: "Meet me at noon", namesNobody: true })
    expect(answered.sealedFor).toBe("Alice")
    await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
  },
)

scene("On an address of her own: to Alice, who needs no name there", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { https: "dedicated", ownAddress: "127.0.2.11" })
  const answered = await carol.visits("https://alice.example/note", { writes: "Meet me at noon", namesNobody: true })
  expect(answered.sealedFor).toBe("Alice")
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
})

answer(
  "To nobody, unless the operator said who shall have such visitors, or the address is one friend's alone. Whoever gets them answers with their own key, so a browser that wanted another name notices.",
)
