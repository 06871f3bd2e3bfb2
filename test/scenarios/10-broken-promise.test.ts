import { expect } from "@jest/globals"
import { chapter } from "./cast/chapter.ts"

const { scene, answer } = chapter(
  "10-broken-promise",
  "The broken promise",
  "What happens when Bob promised Alice not to read, and configures a route that reads?",
)

scene("The relay does not start, and `waypost check` says why", async ({ alice, bob }) => {
  const why = await bob.refusesToCarry(alice, { smtp: "peer", promise: "sealed" })
  expect(why).toContain("alice/smtp")
  const { code, out, err } = await bob.checks()
  expect(code).toBe(1)
  expect(`${out}${err}`).toContain("alice/smtp")
})

scene("A running relay keeps what it had", async ({ alice, bob, carol, dave }) => {
  alice.shows("The key is under the mat")
  await bob.carries(alice, { https: "dedicated", promise: "sealed" })
  const why = await bob.refusesToCarry(dave, { http: "peer", promise: "sealed" })
  expect(why).toContain("dave/http")
  const answered = await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
  carol.reads("The key is under the mat", answered)
  await bob.sawWhatThePolicySays("alice/https", "Meet me at noon")
})

answer(
  "Nothing is carried that breaks it: the relay refuses to start, or goes on as before, and names the route. The check that Bob can run beforehand ends with exit code 1.",
)
