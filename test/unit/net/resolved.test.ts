import { expect, test } from "@jest/globals"
import type { Endpoint } from "../../../src/names/endpoint.ts"
import { hostname } from "../../../src/names/hostname.ts"
import { inTurns, resolve } from "../../../src/net/resolve.ts"
import { Resolved, RESOLVED_TTL_MS } from "../../../src/net/resolved.ts"
import { silentLog } from "../../../src/log/log.ts"
import { handClock } from "../../support/hand-clock.ts"
import { address, at } from "../../support/loopback.ts"

function named(name: string, port = 443): Endpoint {
  const host = hostname(name)
  if (!host) throw new Error(`${name} is no host name`)
  return { host, port }
}

/** A resolver that a test changes its mind about. */
function zone(entries: Record<string, readonly string[]>) {
  const asked: string[] = []
  const lookup = async (name: string): Promise<readonly string[]> => {
    asked.push(name)
    const found = entries[name]
    if (!found) throw new Error("ENOTFOUND")
    return found
  }
  return { entries, asked, lookup }
}

test("an address needs no resolver", async () => {
  const nobody = zone({})
  expect(await resolve({ host: address("10.0.0.5"), port: 443 }, nobody.lookup)).toEqual([at("10.0.0.5", 443)])
  expect(nobody.asked).toEqual([])
})

test.each([
  { what: "does not exist", answer: undefined },
  { what: "has no usable address", answer: ["fe80::1%eth0"] },
])("a name that $what is BACKEND_UNKNOWN", async ({ answer }) => {
  const { lookup } = zone(answer ? { "a.example": answer } : {})
  await expect(resolve(named("a.example"), lookup)).rejects.toMatchObject({ fault: { code: "BACKEND_UNKNOWN" } })
})

test("the families take turns, beginning with the resolver's first", () => {
  const given = ["2001:db8::1", "2001:db8::2", "2001:db8::3", "192.0.2.1"].map(address)
  expect(inTurns(given)).toEqual(["2001:db8::1", "192.0.2.1", "2001:db8::2", "2001:db8::3"])
  expect(inTurns(given.toReversed())).toEqual(["192.0.2.1", "2001:db8::3", "2001:db8::2", "2001:db8::1"])
  expect(inTurns([])).toEqual([])
})

test("follows a name that moves, and keeps the last good answer while it does not resolve", async () => {
  const clock = handClock()
  const { entries, lookup } = zone({ "a.example": ["192.0.2.1"] })
  const resolved = new Resolved({ clock, log: silentLog, lookup })
  await resolved.follow([named("a.example")])
  expect(resolved.addressesOf(named("a.example"))).toEqual([at("192.0.2.1", 443)])
  entries["a.example"] = ["192.0.2.2"]
  await clock.turn(RESOLVED_TTL_MS)
  expect(resolved.addressesOf(named("a.example"))).toEqual([at("192.0.2.2", 443)])
  delete entries["a.example"]
  await clock.turn(RESOLVED_TTL_MS)
  expect(resolved.addressesOf(named("a.example"))).toEqual([at("192.0.2.2", 443)])
  resolved.stop()
})

test("a name that never resolved has no address, until it resolves", async () => {
  const clock = handClock()
  const { entries, lookup } = zone({})
  const resolved = new Resolved({ clock, log: silentLog, lookup })
  await resolved.follow([named("late.example", 25)])
  expect(resolved.addressesOf(named("late.example", 25))).toEqual([])
  entries["late.example"] = ["192.0.2.7"]
  await clock.turn(RESOLVED_TTL_MS)
  expect(resolved.addressesOf(named("late.example", 25))).toEqual([at("192.0.2.7", 25)])
  resolved.stop()
})

test("follows what it is told to, keeps what it knows, and asks nobody after stop", async () => {
  const clock = handClock()
  const { asked, entries, lookup } = zone({ "a.example": ["192.0.2.1"], "b.example": ["192.0.2.2"] })
  const resolved = new Resolved({ clock, log: silentLog, lookup })
  await resolved.follow([named("a.example")])
  delete entries["a.example"]
  await resolved.follow([named("a.example"), named("b.example")])
  expect(resolved.addressesOf(named("a.example"))).toEqual([at("192.0.2.1", 443)])
  expect(resolved.addressesOf(named("b.example"))).toEqual([at("192.0.2.2", 443)])
  await resolved.follow([named("b.example")])
  expect(resolved.addressesOf(named("a.example"))).toEqual([])
  resolved.stop()
  const askedBefore = asked.length
  await clock.turn(10 * RESOLVED_TTL_MS)
  expect(asked).toHaveLength(askedBefore)
})
