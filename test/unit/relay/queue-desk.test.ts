import { once } from "node:events"
import { request } from "node:http"
import { text } from "node:stream/consumers"
import { describe, expect, test } from "@jest/globals"
import { boxIdentity } from "../../../src/box/box.ts"
import { systemClock } from "../../../src/clock/clock.ts"
import { sendMail } from "../../../src/lab/demo/carol.ts"
import { deskOf, readToken } from "../../../src/relay/ask-desk.ts"
import { controlOf } from "../../../src/relay/ask-control.ts"
import { queueThrough, type AskedQueue } from "../../../src/relay/ask-queue.ts"
import { giveToken } from "../../../src/relay/give-token.ts"
import { WRONG_TOKENS_PER_MINUTE_MAX } from "../../../src/relay/queue-desk.ts"
import { boxesIn } from "../../../src/store/boxes.ts"
import { queueTokensIn } from "../../../src/store/queue-tokens.ts"
import { dialRelay } from "../../../src/tunnel/dial-relay.ts"
import { pinOfCertificate } from "../../../src/tunnel/pin.ts"
import { QUEUE_ALPN } from "../../../src/tunnel/wire.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { testRelay, type TestRelay } from "../../support/relay.ts"

const ALL = { id: undefined, friend: undefined }

describe("a friend's desk", () => {
  test("shows a friend his own mail, and lets him change it", async () => {
    await using bob = await relayOfTwo()
    const [alices, daves] = await bothWait(bob)
    const alice = await byToken(bob, "alice")
    expect((await alice.list(ALL)).map(({ id }) => id)).toEqual([alices])
    expect(await alice.change({ how: "hold" }, { ...ALL, id: alices })).toEqual({ messages: 1, recipients: 1 })
    expect(await alice.list({ ...ALL, id: alices })).toMatchObject([
      { recipients: [{ state: "held", why: "held by alice, by token" }] },
    ])
    const to = { how: "redirect", to: "other@alice.example" } as const
    expect(await alice.change(to, { ...ALL, id: alices })).toEqual({ messages: 1, recipients: 1 })
    expect(await alice.audit(ALL)).toMatchObject([
      { who: "alice, by token", how: "hold", messages: [alices] },
      { who: "alice, by token", how: "redirect", messages: [alices], detail: "other@alice.example" },
    ])
    expect((await operator(bob).list(ALL)).map(({ id }) => id)).toEqual([alices, daves])
  })

  test("another friend's mail is not there: the same is said of it as of mail that never was", async () => {
    await using bob = await relayOfTwo()
    const [, daves] = await bothWait(bob)
    await operator(bob).change({ how: "hold" }, { ...ALL, id: daves })
    const alice = await byToken(bob, "alice")
    for (const chosen of [
      { ...ALL, id: daves },
      { ...ALL, id: "aaaaaaaaaaaaaaaa" },
      { id: daves, friend: "dave" },
    ]) {
      expect(await alice.list(chosen)).toEqual([])
      expect(await alice.audit(chosen)).toEqual([])
      const nothing = { messages: 0, recipients: 0 }
      for (const change of [{ how: "delete" }, { how: "release" }, { how: "refuse", reason: "" }] as const) {
        expect(await alice.change(change, chosen)).toEqual(nothing)
      }
      expect(await alice.change({ how: "redirect", to: "x@alice.example" }, chosen)).toEqual(nothing)
    }
    expect(await operator(bob).list({ ...ALL, id: daves })).toMatchObject([{ recipients: [{ state: "held" }] }])
  })

  test("another friend's name chooses nothing, least of all everything of one's own", async () => {
    await using bob = await relayOfTwo()
    await bothWait(bob)
    const alice = await byToken(bob, "alice")
    expect(await alice.list({ ...ALL, friend: "dave" })).toEqual([])
    expect(await alice.change({ how: "delete" }, { ...ALL, friend: "dave" })).toEqual({ messages: 0, recipients: 0 })
    expect(await operator(bob).list(ALL)).toHaveLength(2)
    expect(await alice.change({ how: "delete" }, { ...ALL, friend: "alice" })).toEqual({ messages: 1, recipients: 1 })
  })

  test("a friend's box needs no token", async () => {
    await using bob = await relayOfTwo()
    const [, daves] = await bothWait(bob)
    await using home = await scratchFolder()
    const identity = await boxIdentity(home.path, systemClock)
    const { state } = bob.relay.config.relay
    const pin = pinOfCertificate(identity.cert)
    await boxesIn(state).invite("x".repeat(43), { friend: "dave", until: systemClock.now() + 60_000 }, false)
    await boxesIn(state).redeem("x".repeat(43), pin, systemClock.now())
    const { relays, relayPin } = await tokenFor(bob, "alice")
    const dave = queueThrough(deskOf({ relays, relayPin, by: { kind: "box", ...identity }, clock: systemClock }))
    expect((await dave.list(ALL)).map(({ id }) => id)).toEqual([daves])
    await boxesIn(state).invite("y".repeat(43), { friend: "dave", until: systemClock.now() + 60_000 }, true)
    await expect(dave.list(ALL)).rejects.toMatchObject({ fault: { code: "DESK_REFUSED" } })
  })

  test("nobody is let in with a token that was revoked, or another friend's name on it", async () => {
    await using bob = await relayOfTwo()
    const token = await tokenFor(bob, "alice")
    const asked = (by: Partial<typeof token>) =>
      queueThrough(deskOf({ ...token, by: { kind: "token", token: { ...token, ...by } }, clock: systemClock })).list(
        ALL,
      )
    expect(await asked({})).toEqual([])
    for (const by of [{ friend: "dave" }, { friend: "nobody" }, { secret: "A".repeat(22) }]) {
      await expect(asked(by)).rejects.toMatchObject({ fault: { code: "DESK_REFUSED" } })
    }
    await queueTokensIn(bob.relay.config.relay.state).revoke("alice")
    await expect(asked({})).rejects.toMatchObject({ fault: { code: "DESK_REFUSED" } })
  })

  test("who tries secrets is not heard for the rest of the minute, and no secret is in the log", async () => {
    await using bob = await relayOfTwo()
    const token = await tokenFor(bob, "alice")
    const statuses: (number | undefined)[] = []
    for (let tries = 0; tries < WRONG_TOKENS_PER_MINUTE_MAX; tries++) {
      statuses.push((await get(token, "/queue", `Bearer alice.${"B".repeat(22)}`)).status)
    }
    expect(new Set(statuses)).toEqual(new Set([401]))
    expect((await get(token, "/queue", `Bearer alice.${token.secret}`)).status).toBe(429)
    expect(JSON.stringify(bob.log)).not.toContain(token.secret)
    expect(JSON.stringify(bob.log)).not.toContain("B".repeat(22))
  })

  test.each(["/traffic", "/metrics", "/queue/nonsense", "/queue/redirect?id=x", "//[", "/queue/../traffic"])(
    "has nothing at %s",
    async (path) => {
      await using bob = await relayOfTwo()
      const token = await tokenFor(bob, "alice")
      expect((await get(token, path, `Bearer alice.${token.secret}`)).status).toBe(404)
      expect((await get(token, path, undefined)).status).toBe(401)
    },
  )
})

async function relayOfTwo(): Promise<TestRelay> {
  const [away, tunnel] = [await freePort(), await freePort()]
  return testRelay(`
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp }
  tunnel: { bind: "127.0.0.1:${tunnel}", protocol: tunnel }
friends:
  alice: { domains: [alice.example], routes: { smtp: { mode: peer, to: "127.0.0.1:${away}" } } }
  dave: { domains: [dave.example], routes: { smtp: { mode: peer, to: "127.0.0.1:${away}" } } }
`)
}

async function bothWait(bob: TestRelay): Promise<[alices: string, daves: string]> {
  const at = { name: "relay", ...bob.at("smtp") }
  for (const friend of ["alice", "dave"]) await sendMail(at, `${friend}@${friend}.example`, "noon")
  const [alices, daves] = await operator(bob).list(ALL)
  return [alices?.id ?? "", daves?.id ?? ""]
}

function operator(bob: TestRelay): AskedQueue {
  return queueThrough(controlOf(bob.relay.config.relay.state))
}

/** As the operator prints it. */
async function tokenFor(bob: TestRelay, friend: string) {
  const given = await giveToken(bob.relay.config, friend, systemClock)
  const token = given.kind === "given" ? readToken(given.line) : undefined
  if (!token) throw new Error("no token")
  return token
}

async function byToken(bob: TestRelay, friend: string): Promise<AskedQueue> {
  const token = await tokenFor(bob, friend)
  return queueThrough(deskOf({ ...token, by: { kind: "token", token }, clock: systemClock }))
}

type Token = Awaited<ReturnType<typeof tokenFor>>

/** A question as anybody may put it. */
async function get({ relays: [relay], relayPin }: Token, path: string, authorization: string | undefined) {
  const socket = await dialRelay({ relay, relayPin, alpn: QUEUE_ALPN, clock: systemClock })
  const headers = authorization === undefined ? {} : { authorization }
  const asked = request({ path, headers, createConnection: () => socket }).end()
  const [response] = await once(asked, "response")
  const body = await text(response)
  socket.destroy()
  return { status: response.statusCode as number, body }
}
