import { expect, test } from "@jest/globals"
import type { DirectDoor } from "../../../src/box/direct-door.ts"
import { describeDirect, keepDirect, type Asker } from "../../../src/box/direct.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import type { Mapping } from "../../../src/portmap/port-mapper.ts"
import type { ReachAnswer } from "../../../src/tunnel/reach.ts"
import { handClock } from "../../support/hand-clock.ts"
import { address, at } from "../../support/loopback.ts"

const PUBLIC = at("203.0.113.9", 443)
const BOBS_END = at("198.51.100.10", 45_678)

/** A home whose router maps to PUBLIC, and a relay that answers as told. */
async function atHome(world: { answer?: ReachAnswer; came?: readonly SocketAddress[]; refuses?: string }) {
  const clock = handClock()
  const asked: number[] = []
  const door: DirectDoor = {
    bound: at("192.168.7.2", 8443),
    cameFrom: (end) => (world.came ?? []).some(({ port }) => port === end.port),
    stop: async () => {},
  }
  const map = async (): Promise<Mapping> => {
    if (world.refuses !== undefined) throw new Error(world.refuses)
    return { by: "UPnP", external: PUBLIC, lifetimeSeconds: 3_600, remove: async () => {} }
  }
  const bob: Asker = { relay: "bob", ask: async (port) => (asked.push(port), world.answer) }
  const direct = await keepDirect({
    service: "https",
    port: 443,
    own: address("192.168.7.2"),
    openDoor: async () => door,
    map,
    askers: () => [bob],
    clock,
    changed: () => {},
  })
  await clock.turn(0)
  return { direct, clock, asked, said: () => describeDirect(direct.status()) }
}

test("a relay that was here makes it possible", async () => {
  const { asked, said } = await atHome({ answer: { at: PUBLIC, from: BOBS_END }, came: [BOBS_END] })
  expect(asked).toEqual([443])
  expect(said()).toBe("possible at 203.0.113.9:443, seen from relay bob (the router maps it by UPnP)")
})

test.each([
  ["a relay that claims to have been here, and was not", { at: PUBLIC, from: BOBS_END }, "not this box"],
  ["a relay that reaches nobody", { at: PUBLIC, from: undefined }, "bob reaches nobody at 203.0.113.9:443"],
  ["a second router in between", { at: at("192.0.2.1", 443), from: BOBS_END }, "a second router stands in between"],
  ["a relay that knows no such question", undefined, "bob does not answer such questions"],
])("%s does not", async (_, answer, why) => {
  const { said } = await atHome({ ...(answer && { answer }) })
  expect(said()).toMatch(/^not possible at port 443: /)
  expect(said()).toContain(why)
})

test("a router that opens nothing says why, and nobody is asked to come", async () => {
  const { asked, said } = await atHome({ refuses: "PCP: its owner has switched mappings off" })
  expect(said()).toBe(
    "not possible at port 443: the home router opens no port (PCP: its owner has switched mappings off)",
  )
  expect(asked).toEqual([])
})

test("when it ends, that is seen within five minutes, and seen again when it is back", async () => {
  const world = { answer: { at: PUBLIC, from: BOBS_END } as ReachAnswer, came: [BOBS_END] }
  const { clock, direct } = await atHome(world)
  world.answer = { at: PUBLIC, from: undefined }
  await clock.turn(5 * 60_000)
  expect(direct.status().state.at).toBe("not-possible")
  world.answer = { at: PUBLIC, from: BOBS_END }
  await clock.turn(30_000)
  expect(direct.status().state.at).toBe("possible")
  await direct.stop()
})
