import { expect, test } from "@jest/globals"
import { matchesFor } from "../../../src/config/matches.ts"
import { hostPattern } from "../../../src/names/hostname.ts"
import { ipAddress } from "../../../src/names/ip-address.ts"
import { socketAddress } from "../../../src/names/endpoint.ts"
import { cidr } from "../../../src/names/ip-address.ts"
import type { Protocol } from "../../../src/route/route.ts"

const NAME = known(hostPattern("alice.example"))
const OWN = known(ipAddress("203.0.113.7"))
const alice = { name: "alice", domains: [NAME], addresses: [] }
const aliceAtHome = { name: "alice", domains: [NAME], addresses: [OWN] }

function at(protocol: Protocol, bind = "0.0.0.0:1", more: { friend?: string; proxied?: boolean } = {}) {
  const acceptProxy = more.proxied ? [known(cidr("10.0.0.0/8"))] : []
  return { bind: [known(socketAddress(bind))] as const, protocol, friend: more.friend, "accept-proxy": acceptProxy }
}

function known<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error("the test's own words are wrong")
  return value
}

const dedicated = { mode: "dedicated", otherwise: "refuse" } as const
const peer = { mode: "peer", otherwise: undefined } as const

test.each([
  ["tls", dedicated, ["sni"]],
  ["smtp", dedicated, ["starttls-sni"]],
  ["smtp", { ...dedicated, otherwise: "peer" }, ["starttls-sni", "recipient"]],
  ["smtp", peer, ["recipient"]],
  ["http", dedicated, []],
  ["http", peer, ["host"]],
  ["tcp", dedicated, []],
] as const)("by names, %s %j is found by %j", (protocol, route, found) => {
  expect(matchesFor(alice, at(protocol), route).map(({ by }) => by)).toEqual(found)
})

test.each([
  ["tls", ["address", "sni"]],
  ["smtp", ["address"]], // whoever arrives there is passed on, named or not
  ["http", ["address"]],
  ["tcp", ["address"]],
] as const)("at an own address, dedicated %s is found by %j", (protocol, found) => {
  expect(matchesFor(aliceAtHome, at(protocol), dedicated).map(({ by }) => by)).toEqual(found)
})

test("an own port leads to its friend and to nobody else", () => {
  expect(matchesFor(alice, at("tcp", "0.0.0.0:1", { friend: "alice" }), dedicated)).toEqual([{ by: "port" }])
  expect(matchesFor(alice, at("tcp", "0.0.0.0:1", { friend: "dave" }), dedicated)).toEqual([])
})

test("an own address counts where the listener is bound to it, to all of its family, or stands behind a balancer", () => {
  const found = (listener: ReturnType<typeof at>) => matchesFor(aliceAtHome, listener, dedicated).length > 0
  expect(found(at("tcp", "203.0.113.7:1"))).toBe(true)
  expect(found(at("tcp", "203.0.113.8:1"))).toBe(false)
  expect(found(at("tcp", "[::]:1"))).toBe(false)
  expect(found(at("tcp", "10.0.0.1:1", { proxied: true }))).toBe(true)
})
