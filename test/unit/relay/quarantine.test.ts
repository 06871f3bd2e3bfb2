import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { configFaultText } from "../../../src/config/read-config.ts"
import { readRelayFile } from "../../../src/relay/quarantine.ts"
import { carriedNamesIn, QUARANTINE_MS } from "../../../src/store/carried-names.ts"
import { handClock, type HandClock } from "../../support/hand-clock.ts"
import { scratchFolder } from "../../support/program.ts"

let folder: Awaited<ReturnType<typeof scratchFolder>>
let clock: HandClock

beforeEach(async () => {
  folder = await scratchFolder()
  clock = handClock(Date.UTC(2026, 10, 1))
})

afterEach(async () => folder[Symbol.asyncDispose]())

describe("a name that was another friend's", () => {
  test("is refused in its own place, with what would be right", async () => {
    await carried({ alice: "[alice.example]" })
    await carried({})
    await clock.turn(QUARANTINE_MS - 1)
    expect(await faultsOf({ bob: "[bob.example, alice.example]" })).toEqual([
      'relay.yaml:4:33: alice.example was carried for alice less than 30 days ago; if alice agreed, takes-over: ["alice.example"] under bob; else not before 2026-12-01',
    ])
  })

  test("is free when the time is over", async () => {
    await carried({ alice: "[alice.example]" })
    await carried({})
    await clock.turn(QUARANTINE_MS)
    expect(await faultsOf({ bob: "[alice.example]" })).toEqual([])
  })

  test("stays hers while she is carried, however long ago that began", async () => {
    await carried({ alice: "[alice.example]" })
    await clock.turn(3 * QUARANTINE_MS)
    expect(await faultsOf({ bob: "[alice.example]" })).toHaveLength(1)
  })

  test("can be hers again at once", async () => {
    await carried({ alice: "[alice.example]" })
    await carried({})
    expect(await faultsOf({ alice: "[alice.example]" })).toEqual([])
  })

  test("goes to a new friend whose entry says so, and is his from then on", async () => {
    await carried({ alice: "[alice.example]" })
    await carried({ bob: "[alice.example], takes-over: [alice.example]" })
    expect(await faultsOf({ bob: "[alice.example]" })).toEqual([])
    expect(await faultsOf({ alice: "[alice.example]" })).toHaveLength(1)
  })

  test("does not go with the friend's entry when that gets another name", async () => {
    await carried({ alice: "[alice.example]" })
    expect(await faultsOf({ alicia: "[alice.example]" })).toHaveLength(1)
  })
})

describe("a name under a wildcard", () => {
  test.each([
    ["the wildcard itself", '["*.alice.example"]', '["*.alice.example"]', '"*.alice.example"'],
    ["a name that the wildcard answered", '["*.alice.example"]', "[www.alice.example]", "www.alice.example"],
    ["a wildcard over the name", "[www.alice.example]", '["*.alice.example"]', "www.alice.example"],
  ])("is the other friend's too: %s", async (_, before, after, name) => {
    await carried({ alice: before })
    expect(await faultsOf({ bob: after })).toHaveLength(1)
    expect(await faultsOf({ bob: `${after}, takes-over: [${name}]` })).toEqual([])
  })

  test("falls to nobody when the exact name's friend leaves", async () => {
    await carried({ alice: "[www.village.example]", bob: '["*.village.example"]' })
    expect(await faultsOf({ bob: '["*.village.example"]' })).toEqual([
      expect.stringMatching(/^relay\.yaml:4:20: www\.village\.example was carried for alice/),
    ])
  })

  test.each([
    ["a level deeper", '["*.alice.example"]', "[a.b.alice.example]"],
    ["the name above", '["*.alice.example"]', "[alice.example]"],
    ["a sibling", "[www.alice.example]", "[mail.alice.example]"],
  ])("is not %s", async (_, before, after) => {
    await carried({ alice: before })
    expect(await faultsOf({ bob: after })).toEqual([])
  })
})

test("two friends with one name both keep it, and a third does not get it", async () => {
  await carried({ alice: "[shared.example]", dave: "[shared.example]" })
  expect(await faultsOf({ dave: "[shared.example]" })).toEqual([])
  expect(await faultsOf({ bob: "[shared.example]" })).toEqual([expect.stringContaining("carried for alice and dave")])
})

test("faults of the file come first, and a damaged memory is told", async () => {
  await carried({})
  await writeFile(join(folder.path, "state", "names.json"), "?")
  expect(await faultsOf({ bob: '["not a name"]' })).toHaveLength(1)
  await expect(faultsOf({ bob: "[bob.example]" })).rejects.toMatchObject({ fault: { code: "STATE_DAMAGED" } })
})

type Friends = Readonly<Record<string, string>>

/** A relay has taken this in. */
async function carried(friends: Friends): Promise<void> {
  const read = await reading(friends)
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  await carriedNamesIn(read.config.relay.state).remember(read.config.friends, clock.now())
}

async function faultsOf(friends: Friends): Promise<readonly string[]> {
  const read = await reading(friends)
  return read.kind === "faults" ? read.faults.map((fault) => configFaultText({ ...fault, file: "relay.yaml" })) : []
}

async function reading(friends: Friends) {
  const file = join(folder.path, "relay.yaml")
  const entries = Object.entries(friends).map(([name, domains]) => `  ${name}: { domains: ${domains} }\n`)
  const text = `relay: { name: relay.example, state: ./state }\nlisteners: {}\n`
  await writeFile(file, entries.length > 0 ? `${text}friends:\n${entries.join("")}` : text)
  return readRelayFile(file, clock)
}
