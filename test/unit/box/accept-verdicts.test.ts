import { expect, test } from "@jest/globals"
import { acceptVerdicts, sealedToOthers } from "../../../src/box/accept-verdicts.ts"
import { readConfig } from "../../../src/config/read-config.ts"
import { NOTHING_CHECKED } from "../../../src/policy/facts.ts"
import { judge } from "../../../src/policy/judge.ts"
import { newIdentity, recipientOf } from "../../../src/seal/seal.ts"

/** What a relay shows for a friend with one sealed route, and with one that it reads if asked. */
function shown(reading: boolean): string {
  const read = readConfig(
    `
relay: { name: relay.bob.example }
listeners:
  https: { bind: "0.0.0.0:443", protocol: tls }
  http: { bind: "0.0.0.0:80", protocol: http }
  tunnel: { bind: "0.0.0.0:7443", protocol: tunnel }
friends:
  alice:
    domains: [alice.example]
    routes:
      https: { mode: dedicated, to: box }
      ${reading ? "http: { mode: peer, to: box }" : ""}
`,
    "relay.yaml",
  )
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const verdicts = read.config.friends.flatMap(({ routes }) => routes.map((route) => judge(route, NOTHING_CHECKED)))
  return JSON.stringify({ relay: "relay.bob.example", domains: ["alice.example"], verdicts })
}

test("a sealed promise is kept by routes that the relay cannot read", () => {
  expect(acceptVerdicts(shown(false), "sealed")).toMatchObject({
    kind: "accepted",
    shows: { verdicts: [{ listener: "https" }] },
  })
})

test("a sealed promise is broken by one route that the relay reads, and it is named", () => {
  expect(acceptVerdicts(shown(true), "sealed")).toEqual({ kind: "broken", routes: ["alice/http"] })
})

test("without a promise the owner accepts what she was shown", () => {
  expect(acceptVerdicts(shown(true), "none").kind).toBe("accepted")
})

test("mail that is sealed to none of the box's keys is named by its listener", async () => {
  const [old, own, other] = await Promise.all([1, 2, 3].map(async () => recipientOf(await newIdentity())))
  if (!old || !own || !other) throw new Error("three were made")
  const seals = [
    { listener: "smtp", to: own },
    { listener: "submission", to: other },
    { listener: "inbox", to: old },
  ]
  const shown = { relay: "relay.bob.example", domains: [], verdicts: [], entrances: [], seals }
  expect(sealedToOthers(shown, [old, own])).toEqual(["submission"])
})

test("a relay that speaks of no seals is understood", () => {
  expect(acceptVerdicts(shown(false), "none")).toMatchObject({ shows: { seals: [] } })
})

test.each(["", "[", "{}", '{"verdicts":[{"friend":"alice"}]}'])("%j cannot be read, and so is not accepted", (json) => {
  expect(acceptVerdicts(json, "none")).toEqual({ kind: "unreadable" })
})
