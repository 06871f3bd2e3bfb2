/** What is carried for one friend, counted while it runs and held to a rate: on every engine. */
import { createHash, randomBytes } from "node:crypto"
import { duplexPair } from "node:stream"
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { BURST_MS } from "../../../src/net/bucket.ts"
import type { Engine } from "../../../src/net/engine.ts"
import type { Meter } from "../../../src/net/meter.ts"
import { splice } from "../../../src/net/splice.ts"
import { backend, type Backend } from "../../support/backend.ts"
import { carry, door, type Door } from "../../support/door.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import type { Peer } from "../../support/peer.ts"
import { visitor } from "../../support/visitor.ts"

const MIB = 1024 * 1024
const RATE = 2 * MIB
const BURST_BYTES = (RATE * BURST_MS) / 1000
/** What one direction may have read before it could be held back: a buffer of the JavaScript engine. */
const OVERDRAWN_BYTES_MAX = 256 * 1024

describe.each(engines)("a meter: $name", ({ start }) => {
  let engine: Engine
  let home: Backend
  let arrived: Peer[]

  beforeEach(async () => {
    engine = start()
    home = await backend()
    arrived = []
  })

  afterEach(async () => {
    await engine.close()
    for (const each of arrived) each.socket.destroy()
    await home.close()
  })

  async function carried(relay: Door): Promise<{ alice: Peer; service: Peer }> {
    const index = home.peers.length
    const alice = await visitor(relay.bound)
    arrived.push(alice)
    alice.say("hello")
    return { alice, service: await home.accepted(index) }
  }

  async function crowd(relay: Door, count: number): Promise<{ alice: Peer; service: Peer }[]> {
    const all = []
    while (all.length < count) all.push(await carried(relay)) // one by one, to know whose service is whose
    return all
  }

  async function metered(): Promise<{ meter: Meter; relay: Door }> {
    const meter = engine.meter()
    return { meter, relay: await door(engine, () => carry(home.at, { meter })) }
  }

  test("counts connections while they run, and what they have moved", async () => {
    const { meter, relay } = await metered()
    expect(meter.counts()).toEqual({ connections: 0, bytesToBackend: 0, bytesToVisitor: 0 })
    const [one, two] = [await carried(relay), await carried(relay)]
    one.service.say("an answer")
    await one.alice.hears("an answer")
    await eventually("counted", () => meter.counts().bytesToVisitor === 9)
    expect(meter.counts()).toEqual({ connections: 2, bytesToBackend: 10, bytesToVisitor: 9 })
    one.alice.finish("bye")
    one.service.finish()
    await relay.reported()
    expect(meter.counts()).toEqual({ connections: 1, bytesToBackend: 13, bytesToVisitor: 9 })
    two.alice.reset()
    await relay.reported(1)
    expect(meter.counts()).toMatchObject({ connections: 0 })
  })

  test("counts each friend's alone, and nobody's without one", async () => {
    const [alice, dave] = [engine.meter(), engine.meter()]
    const doors = [carry(home.at, { meter: alice }), carry(home.at, { meter: dave }), carry(home.at)]
    const [first, second, third] = await Promise.all(doors.map((decision) => door(engine, () => decision)))
    if (!first || !second || !third) throw new Error("three doors were opened")
    for (const relay of [first, second, third, second]) await carried(relay)
    await eventually("counted", () => dave.counts().bytesToBackend === 10)
    expect(alice.counts()).toMatchObject({ connections: 1, bytesToBackend: 5 })
    expect(dave.counts()).toMatchObject({ connections: 2 })
  })

  test("holds all of a friend's connections to one rate, and loses nothing", async () => {
    const { meter, relay } = await metered()
    meter.limit(RATE)
    const since = performance.now()
    const content = randomBytes(MIB)
    const all = await crowd(relay, 3)
    for (const [index, { alice, service }] of all.entries()) {
      if (index === 0) alice.finish(content)
      else service.finish(content)
    }
    const receivers = all.map(({ alice, service }, index) => (index === 0 ? service : alice))
    await Promise.all(receivers.map((peer) => peer.hearsEnd()))
    const elapsedMs = performance.now() - since
    const hashes = receivers.map(({ heard }) => digest(heard.subarray(-MIB)))
    expect(hashes).toEqual(Array.from({ length: 3 }, () => digest(content)))
    // Bounded from one side alone: a slow machine may take longer, and none may be faster.
    expect(elapsedMs).toBeGreaterThan((1000 * (3 * MIB - BURST_BYTES - 3 * OVERDRAWN_BYTES_MAX)) / RATE)
  })

  test("lets others pass meanwhile, as fast as they go", async () => {
    const slow = engine.meter()
    slow.limit(1000)
    const [under, free] = await Promise.all([
      door(engine, () => carry(home.at, { meter: slow })),
      door(engine, () => carry(home.at, { meter: engine.meter() })),
    ])
    const held = await carried(under)
    held.service.say(randomBytes(4 * MIB))
    const { alice, service } = await carried(free)
    service.finish(randomBytes(4 * MIB))
    await alice.hearsEnd()
    expect(alice.heard).toHaveLength(4 * MIB)
    expect(held.alice.heard.length).toBeLessThan(MIB)
  })

  test("gives none of a friend's connections much more than another", async () => {
    const { meter, relay } = await metered()
    const all = await crowd(relay, 6)
    meter.limit(RATE)
    for (const { service } of all) service.say(randomBytes(4 * MIB))
    const heard = (): number[] => all.map(({ alice }) => alice.heard.length)
    await eventually("a good part has passed", () => heard().reduce((sum, bytes) => sum + bytes) > 5 * MIB)
    const [first = 0, ...later] = heard().sort((left, right) => right - left)
    expect(first).toBeLessThan(3 * MIB) // who came first had the burst, and no more
    expect(Math.min(...later)).toBeGreaterThan(0.2 * Math.max(...later))
  })

  test("gives both directions of a connection their part", async () => {
    const { meter, relay } = await metered()
    meter.limit(RATE)
    const { alice, service } = await carried(relay)
    alice.say(randomBytes(8 * MIB))
    service.say(randomBytes(8 * MIB))
    const heard = (): [number, number] => [alice.heard.length, service.heard.length]
    await eventually("both have begun", () => Math.min(...heard()) > 0) // one of them had the burst until then
    const [down, up] = heard()
    const since = (): [number, number] => [alice.heard.length - down, service.heard.length - up]
    await eventually("much has passed", () => since()[0] + since()[1] > 3 * MIB)
    expect(Math.min(...since())).toBeGreaterThan(MIB / 2)
  })

  test("holds back and lets go connections that run already", async () => {
    const { meter, relay } = await metered()
    const { alice, service } = await carried(relay)
    await service.hears("hello")
    meter.limit(1000)
    const content = randomBytes(4 * MIB)
    service.finish(content)
    const afterBurst = await eventually("the burst has passed", () => alice.heard.length > 400 && alice.heard.length)
    expect(afterBurst).toBeLessThan(MIB)
    expect(alice.finished).toBe(false)
    meter.limit(undefined)
    await alice.hearsEnd()
    expect(digest(alice.heard)).toBe(digest(content))
  })

  test("ends one that waits for its turn, when its visitor resets it or it is cancelled", async () => {
    const meter = engine.meter()
    meter.limit(1000)
    const stop = new AbortController()
    const relay = await door(engine, () => carry(home.at, { meter, signal: stop.signal }))
    const [one, two] = [await carried(relay), await carried(relay)]
    one.service.say(randomBytes(MIB))
    two.service.say(randomBytes(MIB))
    await eventually("both began", () => meter.counts().connections === 2)
    stop.abort()
    await Promise.all([relay.reported(), relay.reported(1)])
    expect(relay.reports.map(({ how }) => how)).toEqual(["cancelled", "cancelled"])
    expect(meter.counts().connections).toBe(0)
  })

  test("counts and holds what JavaScript splices, such as a box's stream, in the same bucket", async () => {
    const { meter } = await metered()
    meter.limit(RATE)
    const since = performance.now()
    const [visitorSide, inside] = duplexPair()
    const [boxSide, outside] = duplexPair()
    const spliced = splice(inside, boxSide, { meter })
    for (let piece = 0; piece < 64; piece++) visitorSide.write(randomBytes(MIB / 32))
    visitorSide.end()
    outside.end("an answer")
    visitorSide.resume()
    let received = 0
    outside.on("data", (piece: Buffer) => (received += piece.length))
    expect(await spliced).toEqual({ leftToRightBytes: 2 * MIB, rightToLeftBytes: 9, how: "both-finished" })
    expect(received).toBe(2 * MIB)
    expect(performance.now() - since).toBeGreaterThan((1000 * (2 * MIB - BURST_BYTES - OVERDRAWN_BYTES_MAX)) / RATE)
    expect(meter.counts()).toEqual({ connections: 0, bytesToBackend: 2 * MIB, bytesToVisitor: 9 })
  })
})

function digest(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex")
}
