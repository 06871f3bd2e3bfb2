/**
 * The chapters run on the JavaScript engine, because the recorder sees all that passes it. What the native one moves is
 * seen by the other witness alone; where it is not built, the relay falls back, and this holds all the same.
 */
import { expect, test } from "@jest/globals"
import { openWorld } from "../../scenarios/cast/world.ts"

test.each(["javascript", "native"] as const)(
  "what is sealed for Alice is not in Bob's memory (engine: %s)",
  async (engine) => {
    await using world = await openWorld(engine)
    const { alice, bob, carol } = world
    alice.shows("The key is under the mat")
    await bob.carries(alice, { https: "dedicated", smtp: "dedicated", ownAddress: "127.0.2.11" })
    const answered = await carol.visits("https://alice.example/note", { writes: "Meet me at noon" })
    carol.reads("The key is under the mat", answered)
    await carol.mails("alice@alice.example", "Bring the map")
    await alice.received("Bring the map")
    for (const secret of ["Meet me at noon", "The key is under the mat", "Bring the map"]) {
      expect(await bob.remembers(secret)).not.toBe("has it")
    }
  },
)

test("what ends at Bob's relay is in his memory while it waits there", async () => {
  await using world = await openWorld()
  const { bob, carol, dave } = world
  await bob.carries(dave, { smtp: "peer" })
  await dave.goesAway()
  await carol.mails("dave@dave.example", "Meet me at noon")
  expect(["has it", "cannot look"]).toContain(await bob.remembers("Meet me at noon"))
})
