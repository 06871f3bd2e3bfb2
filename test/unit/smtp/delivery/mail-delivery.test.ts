import { describe, expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../../src/faults/faults.ts"
import type { KeptRecipient, MessageId } from "../../../../src/store/spool.ts"
import { dialTcp } from "../../../../src/smtp/delivery/dial.ts"
import { OWN_MAIL } from "../../../../src/smtp/delivery/target.ts"
import { contentOf } from "../../../support/spool.ts"
import {
  checked,
  DAY_MS,
  desk,
  HOUR_MS,
  MINUTE_MS,
  mxAt,
  routeFor,
  routesOf,
  routeTo,
  type Desk,
} from "../../../support/delivery.ts"
import { keyPair, spkiSha256 } from "../../../support/key-pair.ts"
import { readMime } from "../../../support/mime.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { freePort } from "../../../support/program.ts"
import { eventually } from "../../../support/eventually.ts"

/** A resolver for one sender's domain that is reachable through no route. */
const toNobody = (): Promise<{ kind: "no-such-domain" }> => Promise.resolve({ kind: "no-such-domain" })

describe("mail that can be delivered", () => {
  test("is delivered and leaves the spool", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await at.gone(id)
    expect(hop.messages.map(({ from, to }) => ({ from, to }))).toEqual([
      { from: "carol@sender.example", to: ["dave@dave.example"] },
    ])
    expect(at.log.all("mail-delivered")).toHaveLength(1)
  })

  test("is the same at the other end, however many pieces the spool keeps it in", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const content = Array.from({ length: 50_000 }, (_, index) => `${index}`.padEnd(98) + "\r\n").join("")
    await at.gone(await at.mail({}, content))
    expect(hop.messages[0]?.content.toString() === content).toBe(true)
  })

  test("that was there before the start is delivered after it", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids = await Promise.all(Array.from({ length: 350 }, () => at.mail()))
    await Promise.all(ids.map((id) => at.gone(id)))
    expect(hop.messages).toHaveLength(350)
    expect(hop.openMost).toBeLessThanOrEqual(10)
    expect(hop.sessions.length).toBeLessThanOrEqual(20)
  })

  test("shares a connection with mail that comes while it lingers, and says QUIT at last", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    await at.gone(await at.mail())
    await at.gone(await at.mail())
    expect(hop.sessions).toHaveLength(1)
    await at.clock.turn(MINUTE_MS)
    await eventually("QUIT was said", () => hop.sessions[0]?.commands.at(-1) === "QUIT")
  })

  test("goes again at once when the lingering connection had gone", async () => {
    await using hop = await nextHop({
      on: (line, { number, transactions }) =>
        number === 0 && transactions > 0 && line.startsWith("MAIL") ? "drop" : undefined,
    })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    await at.gone(await at.mail())
    await at.gone(await at.mail())
    expect(hop.sessions).toHaveLength(2)
    expect(at.log.all("mail-later")).toEqual([])
  })

  test("takes the second address of a route when the first is down", async () => {
    await using hop = await nextHop()
    const { to } = routeTo(hop)
    const down = routeTo({ port: await freePort() }).to
    if (to.kind !== "tcp" || down.kind !== "tcp") throw new Error("not TCP")
    await using at = await desk({ routeOf: routesOf(routeFor({ kind: "tcp", to: [...down.to, ...to.to] })) })
    await at.gone(await at.mail())
    expect(hop.messages).toHaveLength(1)
  })

  test("reaches a box through what the composition dials", async () => {
    await using hop = await nextHop()
    const asked: string[] = []
    await using at = await desk({
      routeOf: routesOf(routeFor({ kind: "box", service: "smtp" })),
      dial: (to, signal) => {
        if (to.kind === "box") asked.push(`${to.friend}/${to.service}`)
        return dialTcp({ kind: "tcp", to: { host: checked("localhost"), port: hop.port } }, signal)
      },
    })
    await at.gone(await at.mail())
    expect(asked).toEqual(["dave/smtp"])
  })
})

describe("a next hop that is away", () => {
  test("is tried again after five minutes, then ten, then no later than hourly", async () => {
    const port = await freePort()
    await using at = await desk({ routeOf: routesOf(routeTo({ port })) })
    const id = await at.mail()
    const waits: number[] = []
    for (let tries = 0; tries < 6; tries++) {
      await at.deferred(id)
      const attempt = await at.attempt(id)
      if (attempt?.at !== "waiting") throw new Error(`it is ${attempt?.at}`)
      expect(attempt.tries).toBe(tries + 1)
      waits.push((attempt.until - at.clock.now()) / MINUTE_MS)
      await at.clock.turn(attempt.until - at.clock.now())
    }
    expect(waits).toEqual([5, 10, 20, 40, 60, 60])
  })

  test("gets one connection for each back-off, however much mail waits", async () => {
    await using hop = await nextHop({ greeting: "421 4.3.2 Full" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const first = await at.mail()
    await at.deferred(first)
    const more = await Promise.all(Array.from({ length: 40 }, () => at.mail()))
    await Promise.all(more.map((id) => at.deferred(id)))
    expect(hop.sessions).toHaveLength(1)
    expect(await at.attempt(more[0] as MessageId)).toMatchObject({ at: "waiting", tries: 0 })
    await at.clock.turn(5 * MINUTE_MS)
    await eventually("it was tried again", () => hop.sessions.length === 2)
    await Promise.all([first, ...more].map((id) => at.deferred(id)))
    expect(hop.sessions).toHaveLength(2)
  })

  test("gets everything, oldest first, the moment the friend is known to be back", async () => {
    await using hop = await nextHop({ greeting: "421 4.3.2 Full" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids: MessageId[] = []
    for (let number = 0; number < 5; number++) {
      const id = await at.mail({}, `Subject: ${number}\r\n\r\n`)
      await at.deferred(id)
      ids.push(id)
      await at.clock.turn(1000)
    }
    hop.script = {}
    expect(await at.delivery.wake("dave")).toBe(5)
    await Promise.all(ids.map((id) => at.gone(id)))
    expect(hop.messages.map(({ content }) => content.toString().slice(9, 10))).toEqual(["0", "1", "2", "3", "4"])
  })

  test("keeps nobody else's mail waiting", async () => {
    await using dave = await nextHop({ greeting: "stall" })
    await using erin = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(dave), routeTo(erin, "opportunistic", "erin")) })
    await Promise.all(Array.from({ length: 300 }, () => at.mail()))
    const id = await at.mail({
      friend: "erin",
      recipients: [{ address: "erin@erin.example", notify: undefined, orcpt: undefined }],
    })
    await at.gone(id)
    expect(dave.openMost).toBeLessThanOrEqual(10)
  })

  test("that was being tried when the friend came back is tried again at once", async () => {
    await using hop = await nextHop({ greeting: "stall" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await eventually("it stalls", () => hop.sessions.length === 1)
    await at.delivery.wake("dave")
    hop.script = {}
    await at.clock.turn(6 * MINUTE_MS)
    await at.gone(id)
  })

  test("with sessions that keep dying counts as away", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("DATA") ? "drop" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids = await Promise.all(Array.from({ length: 60 }, () => at.mail()))
    await Promise.all(ids.map((id) => at.deferred(id)))
    expect(hop.sessions.length).toBeLessThan(40)
  })
})

describe("refusals", () => {
  test("5xx is final and the sender is told", async () => {
    await using hop = await nextHop({
      on: (line) => (line.startsWith("RCPT TO:<dave@") ? "550 5.1.1 No such user" : undefined),
    })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), ...mxAt(sender) })
    await at.gone(await at.mail({ envid: "id1" }))
    await eventually("the notice has come", () => sender.messages.length === 1)
    const [notice] = sender.messages
    expect(notice).toMatchObject({ from: "", to: ["carol@sender.example"] })
    const mail = readMime(notice?.content ?? Buffer.alloc(0))
    expect(mail.parts[1]?.text()).toContain(
      "Status: 5.1.1\r\nRemote-MTA: dns; mx.dave.example\r\nDiagnostic-Code: smtp; 550 5.1.1 No such user",
    )
    expect(mail.parts[2]?.text()).toBe("Subject: noon\r\n")
    await eventually("the spool is empty", async () => (await at.spool.list()).length === 0)
  })

  test("4xx is tried again, and costs other mail nothing", async () => {
    await using hop = await nextHop({ on: (line) => (line.includes("greylisted@") ? "450 4.2.0 Later" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const later = await at.mail({ recipients: to("greylisted@dave.example") })
    await at.deferred(later)
    await at.gone(await at.mail())
    expect(await at.attempt(later)).toMatchObject({ at: "waiting", lastReply: "450 4.2.0 Later" })
    hop.script = {}
    await at.clock.turn(5 * MINUTE_MS)
    await at.gone(later)
  })

  test("recipients of one message end differently, with one notice for all who failed", async () => {
    await using hop = await nextHop({
      on: (line) => (line.includes("gone") ? "550 5.1.1 Gone" : line.includes("full@") ? "452 4.2.2 Full" : undefined),
    })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), ...mxAt(sender) })
    const id = await at.mail({
      recipients: to("dave@dave.example", "gone1@dave.example", "full@dave.example", "gone2@dave.example"),
    })
    await eventually("the notice has come", () => sender.messages.length === 1)
    const status = readMime(sender.messages[0]?.content ?? Buffer.alloc(0)).parts[1]?.text() ?? ""
    expect(status.match(/^Final-Recipient: .*$/gm)).toEqual([
      "Final-Recipient: rfc822; gone1@dave.example",
      "Final-Recipient: rfc822; gone2@dave.example",
    ])
    hop.script = {}
    await at.clock.turn(5 * MINUTE_MS)
    await at.gone(id)
    expect(hop.messages.map((message) => message.to)).toEqual([["dave@dave.example"], ["full@dave.example"]])
    expect(sender.messages).toHaveLength(1)
  })

  test("a sender who asked for silence is told nothing", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: () => Promise.reject(new Error("asked")) })
    await at.gone(await at.mail({ recipients: to("dave@dave.example", "NEVER") }))
    expect(await at.spool.list()).toEqual([])
    expect(at.log.all("double-bounce")).toEqual([])
  })

  test.each([
    ["the null sender", { from: "" }, {}, "double-bounce"],
    ["a sender who may be forged", {}, { mayTell: () => false }, "sender-not-told"],
  ])("%s is told nothing, and the friend sees what failed", async (_, about, options, event) => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    const resolver = () => Promise.reject(new Error("asked"))
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver, ...options })
    const id = await at.mail(about)
    await eventually("it is held", async () => (await at.attempt(id))?.at === "held")
    expect(await at.attempt(id)).toEqual({ at: "held", because: "held, not told: 550 5.1.1 No", tries: 0 })
    expect(at.log.all(event)).toHaveLength(1)
    expect(await at.spool.list()).toHaveLength(1)
  })

  test("what failed and was told to nobody is delivered after all when it is released", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), mayTell: () => false })
    const id = await at.mail()
    await eventually("it is held", async () => (await at.attempt(id))?.at === "held")
    hop.script = {}
    await at.spool.release(id, at.clock.now())
    at.delivery.nudge()
    await at.gone(id)
    expect(hop.messages).toHaveLength(1)
  })

  test("it is forgotten two weeks after it could last have been delivered, unless somebody holds it by hand", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), mayTell: () => false })
    const [failed, byHand] = [await at.mail(), await at.mail({ friend: "erin" })]
    await eventually("it is held", async () => (await at.attempt(failed))?.at === "held")
    await at.spool.hold(byHand, "held by the operator")
    await at.clock.turn(35 * DAY_MS - HOUR_MS)
    expect((await at.spool.list()).map(({ id }) => id)).toEqual([failed, byHand])
    await at.clock.turn(2 * HOUR_MS)
    await eventually("it is forgotten", async () => (await at.spool.list()).length === 1)
    expect(at.log.all("mail-forgotten")).toMatchObject([{ message: failed, friend: "dave" }])
  })

  test("a notice that cannot be delivered ends there", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: toNobody })
    await at.gone(await at.mail())
    await eventually("the spool is empty", async () => (await at.spool.list()).length === 0)
    expect(at.log.all("double-bounce")).toMatchObject([{ recipient: "carol@sender.example" }])
  })

  test("a sender at a friend's domain is told along the friend's route", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT TO:<gone@") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: () => Promise.reject(new Error("asked")) })
    await at.mail({ from: "dave@dave.example", recipients: to("gone@dave.example") })
    await eventually("the notice has come", () => hop.messages.length === 1)
    expect(hop.messages[0]).toMatchObject({ from: "", to: ["dave@dave.example"] })
  })
})

describe("time", () => {
  test("mail expires after its lifetime, after one last try, with one notice", async () => {
    await using hop = await nextHop({ greeting: "421 4.3.2 Full" })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), ...mxAt(sender) })
    const id = await at.mail()
    await turnUntilGone(at, id)
    expect(at.clock.now() - 1_700_000_000_000).toBeGreaterThanOrEqual(21 * DAY_MS)
    await eventually("the notice has come", () => sender.messages.length === 1)
    const mail = readMime(sender.messages[0]?.content ?? Buffer.alloc(0))
    expect(mail.parts[1]?.text()).toContain("Action: failed\r\nStatus: 5.4.7\r\n")
  })

  test("mail that expired while the relay was off is tried once before it is given up", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    await at.gone(await at.mail({ receivedAt: at.clock.now() - 30 * DAY_MS }))
    expect(hop.messages).toHaveLength(1)
  })

  test("who asked for it is told of a delay, once, after four hours", async () => {
    await using hop = await nextHop({ greeting: "421 4.3.2 Full" })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), ...mxAt(sender) })
    const id = await at.mail({ recipients: to("dave@dave.example", "DELAY", "FAILURE") })
    for (let hours = 0; hours < 10; hours++) {
      await at.deferred(id)
      if (hours === 3) expect(sender.messages).toEqual([])
      await turnInSteps(at, id, HOUR_MS)
    }
    await eventually("the notice has come", () => sender.messages.length > 0)
    expect(sender.messages).toHaveLength(1)
    const mail = readMime(sender.messages[0]?.content ?? Buffer.alloc(0))
    expect(mail.header("subject")).toBe("Your message is still on its way")
    expect(mail.parts[1]?.text()).toMatch(/Action: delayed\r\nStatus: 4\.\d\.\d\r\n(.*\r\n)*Will-Retry-Until: /)
  })

  test("success is told where the next hop will not tell it", async () => {
    await using hop = await nextHop({ extensions: [] })
    await using sender = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), ...mxAt(sender) })
    await at.gone(await at.mail({ recipients: to("dave@dave.example", "SUCCESS") }))
    await eventually("the notice has come", () => sender.messages.length === 1)
    expect(readMime(sender.messages[0]?.content ?? Buffer.alloc(0)).parts[1]?.text()).toContain(
      "Action: relayed\r\nStatus: 2.0.0",
    )
  })
})

describe("loops and missing ways", () => {
  test("a next hop that greets as ourselves is final", async () => {
    await using hop = await nextHop({ name: "relay.bob.example" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: toNobody })
    await at.gone(await at.mail())
    expect(at.log.all("mail-refused")[0]).toMatchObject({ code: "NEXT_HOP_IS_US" })
  })

  test("a next hop at our own address is final before a word is said", async () => {
    await using hop = await nextHop()
    const own = { address: "0.0.0.0", port: hop.port } as never
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: toNobody, ownAddresses: [own] })
    await at.gone(await at.mail())
    expect(at.log.all("mail-refused")[0]).toMatchObject({ code: "NEXT_HOP_IS_US" })
    expect(hop.sessions.flatMap(({ commands }) => commands)).toEqual([])
  })

  test("mail of a friend without a route waits and is never sent by MX", async () => {
    await using at = await desk({ routeOf: () => undefined, resolver: () => Promise.reject(new Error("asked")) })
    const id = await at.mail()
    await at.deferred(id)
    expect(await at.attempt(id)).toMatchObject({ at: "waiting", lastReply: expect.stringContaining("No route") })
  })
})

describe("TLS to the next hop", () => {
  test("opportunistic: a handshake that fails is followed by plain text", async () => {
    await using hop = await nextHop({ tls: "broken" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    await at.gone(await at.mail())
    expect(hop.messages[0]?.secure).toBe(false)
    expect(hop.sessions).toHaveLength(2)
  })

  test.each(["encrypt", "verify"] as const)("%s: nothing is ever sent in plain text", async (tls) => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop, tls)) })
    const id = await at.mail()
    await at.deferred(id)
    expect(hop.sessions.flatMap(({ commands }) => commands).filter((line) => line.startsWith("MAIL"))).toEqual([])
    expect(at.log.all("mail-later")[0]).toMatchObject({ code: "HOME_TLS_FAILED" })
  })

  test("encrypt takes any certificate, verify only the right one", async () => {
    const pair = await keyPair("localhost")
    await using hop = await nextHop({ tls: pair })
    const to = { kind: "tcp", to: [{ host: checked("localhost"), port: hop.port }] } as const
    await using any = await desk({ routeOf: routesOf(routeFor(to, "encrypt")) })
    await any.gone(await any.mail())
    await using strict = await desk({ routeOf: routesOf(routeFor(to, "verify")) })
    await strict.deferred(await strict.mail())
    await using trusting = await desk({ routeOf: routesOf(routeFor(to, "verify")), ca: [pair.cert] })
    await trusting.gone(await trusting.mail())
    expect(hop.messages.map(({ secure }) => secure)).toEqual([true, true])
  })
})

describe("a pinned key", () => {
  test("is all that counts: not the name, not an authority", async () => {
    const pair = await keyPair("whatever.lan")
    await using hop = await nextHop({ tls: pair })
    await using at = await desk({ routeOf: routesOf(routeTo(hop, { spkiSha256: [spkiSha256(pair)] })) })
    await at.gone(await at.mail())
    expect(hop.messages.map(({ secure }) => secure)).toEqual([true])
    expect(at.log.all("mail-delivered")[0]).toMatchObject({ proof: "pin" })
  })

  test("keeps mail from whoever shows another key, or offers no TLS at all, and says so", async () => {
    const pair = await keyPair("mx.dave.example")
    await using hop = await nextHop({ tls: await keyPair("mx.dave.example") })
    await using at = await desk({ routeOf: routesOf(routeTo(hop, { spkiSha256: [spkiSha256(pair)] })) })
    const id = await at.mail()
    await at.deferred(id)
    expect(await at.attempt(id)).toMatchObject({ lastReply: expect.stringContaining("which is not pinned") })
    hop.script = {}
    await at.clock.turn(HOUR_MS)
    await eventually("it was tried again", () => hop.sessions.length > 1)
    await at.deferred(id)
    expect(hop.sessions.flatMap(({ commands }) => commands).filter((line) => line.startsWith("MAIL"))).toEqual([])
    expect(new Set(at.log.all("mail-later").map(({ code }) => code))).toEqual(new Set(["HOME_TLS_FAILED"]))
  })

  test("is looked at behind a box's tunnel too: it is the server's own", async () => {
    const pair = await keyPair("mx.dave.example")
    await using hop = await nextHop({ tls: await keyPair("mx.dave.example") })
    await using at = await desk({
      routeOf: routesOf(routeFor({ kind: "box", service: "smtp" }, { spkiSha256: [spkiSha256(pair)] })),
      dial: (_, signal) => dialTcp({ kind: "tcp", to: { host: checked("localhost"), port: hop.port } }, signal),
    })
    await at.deferred(await at.mail())
    hop.script = { tls: pair }
    await at.delivery.wake("dave")
    await eventually("it arrives", () => hop.messages.length === 1)
  })
})

describe("what a box's tunnel has proved already", () => {
  test.each(["encrypt", "verify"] as const)(
    "%s is no obstacle behind it, and TLS is used if it is there",
    async (tls) => {
      await using hop = await nextHop({ tls: await keyPair("whatever.lan") })
      await using at = await desk({
        routeOf: routesOf(routeFor({ kind: "box", service: "smtp" }, tls)),
        dial: (_, signal) => dialTcp({ kind: "tcp", to: { host: checked("localhost"), port: hop.port } }, signal),
      })
      await at.gone(await at.mail())
      hop.script = {}
      await at.clock.turn(MINUTE_MS)
      await at.gone(await at.mail())
      expect(hop.messages.map(({ secure }) => secure)).toEqual([true, false])
    },
  )
})

describe("a friend's share of connections", () => {
  test("is kept over all of his servers, and everything arrives", async () => {
    await using first = await nextHop()
    await using second = await nextHop()
    const limits = { connectDeadlineMs: 10_000, mailLifetimeMs: 21 * DAY_MS, deliveriesPerFriendMax: 1 }
    let mails = 0
    const routeOf = () => ((mails += 1) % 2 === 0 ? routeTo(first) : routeTo(second))
    await using at = await desk({ routeOf, limits })
    const ids = await Promise.all(Array.from({ length: 20 }, () => at.mail()))
    await eventually("all have arrived", async () => {
      await at.clock.turn(MINUTE_MS) // lingering lanes give way
      return first.messages.length + second.messages.length === ids.length
    })
    expect([first.openMost, second.openMost]).toEqual([1, 1])
    expect(first.messages.length).toBeGreaterThan(0)
    expect(second.messages.length).toBeGreaterThan(0)
  })
})

describe("stopping", () => {
  test("waits for the message that is being sent, and begins no other", async () => {
    await using hop = await nextHop()
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids = await Promise.all(Array.from({ length: 60 }, () => at.mail()))
    await eventually("some are gone", () => hop.messages.length > 5)
    await at.delivery.stop()
    const left = await Promise.all(ids.map((id) => at.spool.find(id)))
    expect(left.filter((message) => message === undefined)).toHaveLength(hop.messages.length)
    await eventually("the connections are gone", () => hop.open() === 0)
  })

  test("cuts what hangs, and leaves it in the spool as it was", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "stall" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await eventually("it stalls", () => hop.sessions[0]?.commands.some((line) => line.startsWith("RCPT")) ?? false)
    const stopped = at.delivery.stop()
    await eventually("it is stopping", async () => {
      await at.clock.turn(MINUTE_MS)
      return hop.open() === 0
    })
    await stopped
    expect(await at.attempt(id)).toMatchObject({ at: "waiting", tries: 0 })
  })
})

describe("what a notice leaves in the spool", () => {
  test("it is kept in the relay's own name before the failure is recorded", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    await using at = await desk({
      routeOf: routesOf(routeTo(hop)),
      resolver: () => Promise.resolve({ kind: "failed", why: "SERVFAIL" } as const),
    })
    await at.gone(await at.mail())
    const [notice, ...others] = await at.spool.list(OWN_MAIL)
    expect(others).toEqual([])
    expect(notice).toMatchObject({ friend: OWN_MAIL, from: "", body: "7bit" })
    expect((await contentOf(at.spool, notice?.id as MessageId)).toString()).toContain(
      "Auto-Submitted: auto-replied\r\n",
    )
  })

  test("a spool that takes no notice keeps the failure open, and it is told later", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "550 5.1.1 No" : undefined) })
    let full = true
    await using at = await desk({ routeOf: routesOf(routeTo(hop)), resolver: toNobody }, (spool) => ({
      draft: () => {
        const draft = spool.draft()
        const commit = () => Promise.reject(new FaultError(fault("SPOOL_FULL", "no room")))
        return full ? Object.assign(draft, { commit }) : draft
      },
    }))
    const id = await at.mail()
    await at.deferred(id)
    expect(await at.attempt(id)).toMatchObject({ at: "waiting", lastReply: expect.stringContaining("notice") })
    full = false
    await at.clock.turn(5 * MINUTE_MS)
    await at.gone(id)
    await eventually("the notice has ended too", () => at.log.all("double-bounce").length === 1)
  })

  test("a spool that cannot record is asked again, and the mail is not sent again", async () => {
    await using hop = await nextHop()
    let broken = true
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) }, (spool) => ({
      record: (id, outcomes) => (broken ? Promise.reject(new Error("disk")) : spool.record(id, outcomes)),
    }))
    const id = await at.mail()
    await eventually("it could not be recorded", () => at.log.all("outcome-not-recorded").length > 0)
    await at.clock.turn(MINUTE_MS)
    broken = false
    await at.clock.turn(MINUTE_MS)
    await at.gone(id)
    expect(hop.messages).toHaveLength(1)
  })
})

function to(address: string, ...more: string[]): KeptRecipient[] {
  const notify = more.filter((word) => /^[A-Z]+$/.test(word)) as NonNullable<KeptRecipient["notify"]>[number][]
  const addresses = [address, ...more.filter((word) => word.includes("@"))]
  return addresses.map((one) => ({
    address: one,
    notify: notify.length > 0 ? notify : undefined,
    orcpt: undefined,
    attempt: { at: "waiting", until: 0, tries: 0, lastReply: undefined },
  }))
}

async function turnUntilGone(at: Desk, id: MessageId): Promise<void> {
  for (let attempt = await at.attempt(id); attempt; attempt = await at.attempt(id)) {
    if (attempt.at === "waiting" && attempt.until > at.clock.now()) await at.clock.turn(attempt.until - at.clock.now())
    else await new Promise((resolve) => setTimeout(resolve, 1))
  }
}

/** Lets time pass without running past an attempt that is under way. */
async function turnInSteps(at: Desk, id: MessageId, ms: number): Promise<void> {
  const end = at.clock.now() + ms
  while (at.clock.now() < end) {
    await at.deferred(id)
    const attempt = await at.attempt(id)
    const next = attempt?.at === "waiting" ? Math.min(attempt.until, end) : end
    await at.clock.turn(next - at.clock.now())
  }
}
