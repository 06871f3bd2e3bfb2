/** More visitors than there is room for, and visitors who only hold a place: a relay in a process of its own. */
import { randomBytes } from "node:crypto"
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { backend, echo, type Backend } from "../../support/backend.ts"
import { engineKinds } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import type { Peer } from "../../support/peer.ts"
import { relayInChild } from "../../support/relay-in-child.ts"
import { visitor } from "../../support/visitor.ts"

const DESCRIPTORS = 256
const VISITORS = 1_000
/** What Node, the listener and the rest of the process leave of them, two for each connection. */
const HELD_MIN = 110
const SILENT = 2_000

describe.each(engineKinds)("crowds: %s", (engine) => {
  let home: Backend
  let crowd: Peer[]

  beforeEach(async () => {
    home = await backend(echo)
    crowd = []
  })

  afterEach(async () => {
    for (const each of crowd) each.socket.destroy()
    await home.close()
  })

  /** Whoever comes says his number at once; who was sent away before he noticed that he was there is left out. */
  async function come(to: Parameters<typeof visitor>[0], count: number): Promise<Peer[]> {
    const came: Peer[] = []
    for (let left = count; left > 0; left -= 100) {
      const some = Array.from({ length: Math.min(left, 100) }, () => visitor(to).catch(() => undefined))
      for (const peer of await Promise.all(some)) if (peer) came.push(peer)
    }
    for (const [index, peer] of came.entries()) peer.say(`visitor ${index}`)
    crowd.push(...came)
    return came
  }

  const served = (peers: readonly Peer[]): Peer[] => peers.filter((peer) => peer.heardText !== "" && !peer.closed)

  test("256 descriptors and 1,000 visitors: as many as there is room for are served, and unhurt by the others", async () => {
    await using relay = await relayInChild({ engine, backend: home.at, descriptorsMax: DESCRIPTORS })
    const inside = served(await settled(await come(relay.bound, HELD_MIN)))
    expect(inside).toHaveLength(HELD_MIN)
    const late = await come(relay.bound, VISITORS - HELD_MIN)
    for (const peer of inside) peer.say(", still here")
    for (const [index, peer] of inside.entries()) await peer.hears(`visitor ${index}, still here`)
    expect(served(late).length).toBeLessThan(VISITORS - HELD_MIN)

    for (const peer of crowd) peer.reset()
    const again: Peer[] = []
    await eventually("all places are taken again", async () => {
      // Who comes before a place is free is sent away (JavaScript) or waits; he comes again.
      again.push(...served(await settled(await come(relay.bound, HELD_MIN - served(again).length))))
      return served(again).length === HELD_MIN
    })
    expect(relay.said()).toBe("")
  })

  test("bulk arrives whole where no descriptors are left to move it with", async () => {
    const bulk = randomBytes(6 * 1024 * 1024)
    const source = await backend((peer) => peer.socket.once("data", () => peer.finish(bulk)))
    await using relay = await relayInChild({ engine, backend: source.at, descriptorsMax: DESCRIPTORS })
    const holding = await Promise.all(Array.from({ length: HELD_MIN - 10 }, () => visitor(relay.bound)))
    const readers = await Promise.all(Array.from({ length: 10 }, () => visitor(relay.bound)))
    crowd.push(...holding, ...readers)
    for (const peer of readers) {
      peer.socket.once("data", () => peer.socket.pause()) // so that the relay has to keep something for each of them
      peer.say("all of it")
    }
    await eventually("all are blocked", () => readers.every((peer) => peer.socket.isPaused()))
    for (const peer of readers) peer.socket.resume()
    await Promise.all(readers.map((peer) => peer.hearsEnd()))
    for (const peer of readers) expect(peer.heard.equals(bulk)).toBe(true)
    await source.close()
  })

  if (engine === "native") {
    test("who finds no room waits in the kernel's queue, and is served when there is some", async () => {
      await using relay = await relayInChild({ engine, backend: home.at, descriptorsMax: DESCRIPTORS })
      const all = await come(relay.bound, VISITORS)
      for (const peer of all) peer.socket.once("data", () => peer.finish())
      await eventually("all are served", () => all.every((peer) => peer.heardText !== "" || peer.closed))
      expect(all.filter((peer) => peer.heardText === "")).toEqual([])
      expect(all).toHaveLength(VISITORS)
    })

    test("who waits for longer than anybody may be undecided is told so, and those inside are unhurt", async () => {
      const patience = { decideDeadlineMs: 3_000 } // in which everybody inside must have been decided about, too
      await using relay = await relayInChild({ engine, backend: home.at, descriptorsMax: DESCRIPTORS, ...patience })
      const inside = await settled(await come(relay.bound, HELD_MIN))
      const late = await come(relay.bound, 50)
      await eventually("the last of them are turned away", () => late.slice(-30).every((peer) => peer.closed))
      expect(late.at(-1)?.error).toBe("ECONNRESET")
      for (const peer of inside) peer.say(", still here")
      for (const [index, peer] of inside.entries()) await peer.hears(`visitor ${index}, still here`)
    })
  }

  test("2,000 silent or dripping visitors: others are served meanwhile, and all of them are gone at the deadline", async () => {
    await using relay = await relayInChild({ engine, backend: home.at, decideDeadlineMs: 2_000 })
    const idle = await Promise.all(Array.from({ length: SILENT }, () => visitor(relay.bound)))
    crowd.push(...idle)
    for (const [index, peer] of idle.entries()) if (index % 2 === 0) peer.say(".")
    let next = 0
    const drips = setInterval(() => idle[(next += 2) % SILENT]?.say("."), 1)
    for (let round = 0; round < 20; round++) {
      const [other] = await come(relay.bound, 1)
      await other?.hears("visitor 0")
      other?.finish()
    }
    clearInterval(drips)
    await eventually("all are gone", () => idle.every((peer) => peer.finished || peer.closed))
    expect(idle.filter((peer) => peer.heardText !== "")).toEqual([])
  })
})

/** Each of them served, or sent away. */
async function settled(peers: readonly Peer[]): Promise<readonly Peer[]> {
  await eventually("served or sent away", () => peers.every((peer) => peer.heardText !== "" || peer.closed))
  return peers
}
