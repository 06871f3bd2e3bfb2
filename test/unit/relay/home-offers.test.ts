/** A shared port offers what every friend's server does, and knows when nobody is at home. */
import { describe, expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../src/faults/faults.ts"
import { silentLog } from "../../../src/log/log.ts"
import { AWAY_RETRY_MS, HomeOffers, OFFERS_FRESH_MS } from "../../../src/relay/home-offers.ts"
import type { Route } from "../../../src/route/route.ts"
import { handClock } from "../../support/hand-clock.ts"
import { address } from "../../support/loopback.ts"

/** What each friend's server says; a friend who is not in it is away. */
function village(says: Map<string, readonly string[]>) {
  const clock = handClock()
  const asked: string[] = []
  const ask = async ({ friend }: Route) => {
    asked.push(friend)
    const keywords = says.get(friend)
    if (!keywords) throw new FaultError(fault("BACKEND_SILENT", "away"))
    return keywords
  }
  const offers = new HomeOffers({ ask, clock, log: silentLog })
  return { clock, asked, offers }
}

function routeOf(friend: string, listener = "smtp"): Route {
  const carry = { mode: "dedicated", proxy: "none", otherwise: "refuse" } as const
  const to = { kind: "tcp", to: [{ host: address("127.0.0.1"), port: 25 }] } as const
  return { friend, listener, protocol: "smtp", matches: [], carry, to }
}

const ALICE = ["PIPELINING", "SIZE 1000", "VRFY", "AUTH PLAIN", "STARTTLS", "8BITMIME", "SMTPUTF8", "CHUNKING"]
const DAVE = ["size 500", "8bitmime", "STARTTLS", "DSN", "ENHANCEDSTATUSCODES"]
const settled = () => new Promise((resolve) => setImmediate(resolve))

describe("what is offered", () => {
  test("is what all servers behind the listener offer, with the smallest size, and nothing that the relay would have to do", async () => {
    const { offers } = village(
      new Map([
        ["alice", ALICE],
        ["dave", DAVE],
        ["erin", []],
      ]),
    )
    offers.follow([routeOf("alice"), routeOf("dave"), routeOf("erin", "smtp-2")])
    expect(offers.offersOf("smtp", undefined)).toEqual([])
    await settled()
    expect(offers.offersOf("smtp", undefined)).toEqual(["8BITMIME", "SIZE 500"])
    expect(offers.offersOf("smtp", 300)).toEqual(["8BITMIME", "SIZE 300"])
    expect(offers.offersOf("smtp-2", undefined)).toEqual([])
    expect(offers.offersOf("other", undefined)).toEqual([])
  })

  test("is nothing until every server was heard, and what was heard stays while one is away", async () => {
    const says = new Map([["alice", ALICE]])
    const { offers, clock } = village(says)
    offers.follow([routeOf("alice"), routeOf("dave")])
    await settled()
    expect(offers.offersOf("smtp", undefined)).toEqual([])
    says.set("dave", ALICE)
    await clock.turn(AWAY_RETRY_MS)
    await settled()
    expect(offers.offersOf("smtp", undefined)).toEqual(["8BITMIME", "SMTPUTF8", "SIZE 1000"])
    says.clear()
    await clock.turn(OFFERS_FRESH_MS)
    await settled()
    expect(offers.offersOf("smtp", undefined)).toEqual(["8BITMIME", "SMTPUTF8", "SIZE 1000"])
  })

  test.each([
    ["no limit told", ["SIZE"], ["SIZE"]],
    ["no limit", ["SIZE 0"], ["SIZE"]],
    ["not a size", ["SIZE many"], []],
  ])("a size with %s", async (_what, keywords, offered) => {
    const { offers } = village(new Map([["alice", keywords]]))
    offers.follow([routeOf("alice")])
    await settled()
    expect(offers.offersOf("smtp", undefined)).toEqual(offered)
  })

  test("is learnt from sessions that are carried, which saves asking", async () => {
    const { offers, clock, asked } = village(new Map([["alice", []]]))
    offers.follow([routeOf("alice")])
    await settled()
    await clock.turn(OFFERS_FRESH_MS - 1)
    offers.heard(routeOf("alice"), ["DSN"])
    await clock.turn(OFFERS_FRESH_MS - 1)
    expect(offers.offersOf("smtp", undefined)).toEqual(["DSN"])
    expect(asked).toEqual(["alice"])
  })
})

describe("nobody at home", () => {
  test("is known when all are away, and over when one is back", async () => {
    const says = new Map<string, readonly string[]>()
    const { offers, asked } = village(says)
    offers.follow([routeOf("alice"), routeOf("dave")])
    expect(offers.nobodyHome("smtp")).toBeUndefined()
    await settled()
    expect(offers.nobodyHome("smtp")).toBe("BACKEND_SILENT")
    says.set("dave", [])
    offers.cameBack("dave")
    await settled()
    expect(offers.nobodyHome("smtp")).toBeUndefined()
    expect(asked).toEqual(["alice", "dave", "dave"])
  })

  test("who was missed once is asked once, however many miss him", async () => {
    const says = new Map([["alice", ALICE]])
    const { offers, asked } = village(says)
    offers.follow([routeOf("alice")])
    await settled()
    says.clear()
    for (let times = 0; times < 5; times += 1) offers.missed(routeOf("alice"))
    await settled()
    for (let times = 0; times < 5; times += 1) offers.missed(routeOf("alice"))
    await settled()
    expect(asked).toEqual(["alice", "alice"])
    expect(offers.nobodyHome("smtp")).toBe("BACKEND_SILENT")
  })
})

test("routes that are no longer followed are forgotten, others kept, changed ones asked anew", async () => {
  const { offers, clock, asked } = village(
    new Map([
      ["alice", ALICE],
      ["dave", DAVE],
    ]),
  )
  offers.follow([routeOf("alice"), routeOf("dave")])
  await settled()
  const moved: Route = { ...routeOf("dave"), to: { kind: "box", service: "smtp" } }
  offers.follow([routeOf("alice"), moved])
  expect(offers.offersOf("smtp", undefined)).toEqual([])
  await settled()
  expect(asked).toEqual(["alice", "dave", "dave"])
  offers.stop()
  await clock.turn(OFFERS_FRESH_MS)
  await settled()
  expect(asked.length).toBe(3)
})
