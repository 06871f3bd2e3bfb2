import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "19-told-at-home",
  "Told at home",
  "What does Alice's box do when Bob begins to read what he had promised not to?",
)

scene("It hears of the new route at once, leaves, and stays away", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(bob, { promise: "sealed" })
  await bob.carries(alice, { https: "dedicated", http: "peer", byTunnel: true })
  await alice.program.logged(
    "verdicts refused",
    { routes: "alice/http" },
    "her box refuses what it is shown: alice/http",
  )
  await alice.program.isNotAttached("Bob", "what the relay could do breaks this box's promise")
  const answered = await carol.visits("http://alice.example/note", { writes: "Meet me at noon" })
  expect(answered).toMatchObject({ from: "Bob", reply: "503" })
  await bob.sawWhatThePolicySays("alice/http", "Meet me at noon")
  expect(alice.countOf("Meet me at noon")).toBe(0)
})

scene("It comes back when Bob has taken the route away again", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(bob, { promise: "sealed" })
  await bob.carries(alice, { https: "dedicated", http: "peer", byTunnel: true })
  await alice.program.isNotAttached("Bob", "what the relay could do breaks this box's promise")
  await bob.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.program.isAttachedTo("Bob")
  await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
})

scene("The wrong world: her box was promised nothing", async ({ alice, bob, carol }) => {
  await bob.carries(alice, { https: "dedicated", byTunnel: true })
  await alice.joins(bob)
  await bob.carries(alice, { https: "dedicated", http: "peer", byTunnel: true })
  await bob.wasWarned("WP102 relay-reads-web", "alice/http")
  await carol.visits("http://alice.example/note", { writes: "Meet me at noon" })
  await alice.received("Meet me at noon")
  await bob.sawWhatThePolicySays("alice/http", "Meet me at noon")
})

answer(
  "With `promise: sealed` in her own file it does not serve on such terms: the relay shows each route's verdict when the box attaches and whenever one changes, and the box leaves by itself. That Bob says the truth about his routes, this does not show; the next chapter does.",
)
