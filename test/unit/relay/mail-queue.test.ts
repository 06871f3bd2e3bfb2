import { describe, expect, test } from "@jest/globals"
import { mailQueue, type MailQueue } from "../../../src/relay/mail-queue.ts"
import type { Redirects } from "../../../src/relay/redirect.ts"
import type { Route } from "../../../src/route/route.ts"
import type { AuditEntry, AuditTrail } from "../../../src/store/audit-trail.ts"
import { BOB, DAY_MS, desk, HOUR_MS, MINUTE_MS, mxAt, routesOf, routeTo, type Desk } from "../../support/delivery.ts"
import { DEFAULT_LIMITS } from "../../../src/config/config.ts"
import { eventually } from "../../support/eventually.ts"
import { nextHop } from "../../support/next-hop.ts"
import { freePort } from "../../support/program.ts"

const WHO = "the operator"
const ALL = { id: undefined, friend: undefined }

describe("the mail queue", () => {
  test("says of each recipient why it waits and until when, and nothing of the content", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail({ receivedAt: at.clock.now() }, "Subject: secret\r\n\r\nsecret\r\n")
    await at.deferred(id)
    const listed = await queueOf(at).list(ALL)
    expect(listed).toMatchObject([{ id, friend: "dave", from: "carol@sender.example", sizeBytes: 27 }])
    expect(listed[0]?.recipients).toEqual([
      {
        address: "dave@dave.example",
        state: "waiting",
        why: expect.stringContaining("not answering"),
        tries: 1,
        nextTryAt: new Date(at.clock.now() + 5 * MINUTE_MS).toISOString(),
      },
    ])
    expect(JSON.stringify(listed)).not.toContain("secret")
  })

  test("is asked for one message, for one friend's, and for both", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    const other = await at.mail({ friend: "alice" })
    const listed = async (chosen: Partial<typeof ALL> | { id?: string; friend?: string }) =>
      (await queueOf(at).list({ ...ALL, ...chosen })).map((message) => message.id)
    expect(await listed({ id })).toEqual([id])
    expect(await listed({ friend: "alice" })).toEqual([other])
    expect(await listed({ id, friend: "alice" })).toEqual([])
    expect(await listed({ id: "nobody" })).toEqual([])
  })

  test("held mail is not tried until it is released, whatever else brings mail forward", async () => {
    await using hop = await nextHop({ on: (command) => (command.startsWith("RCPT") ? "451 4.3.0 later" : undefined) })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await at.deferred(id)
    hop.script = {}
    expect(await queueOf(at).change({ how: "hold" }, { ...ALL, id }, WHO)).toEqual({ messages: 1, recipients: 1 })
    await at.delivery.wake("dave")
    await at.clock.turn(DAY_MS)
    await at.gone(await at.mail())
    expect(hop.messages).toHaveLength(1)
    await queueOf(at).change({ how: "release" }, { ...ALL, id }, WHO)
    await at.gone(id)
    expect(hop.messages).toHaveLength(2)
  })

  test("mail that lies in line behind a busy next hop is held too", async () => {
    await using hop = await nextHop({ greeting: "stall" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids = await Promise.all(Array.from({ length: DEFAULT_LIMITS.deliveriesPerFriendMax + 5 }, () => at.mail()))
    await eventually("every lane is stuck", () => hop.open() === DEFAULT_LIMITS.deliveriesPerFriendMax)
    expect(await queueOf(at).change({ how: "hold" }, { ...ALL, friend: "dave" }, WHO)).toEqual({
      messages: 15,
      recipients: 15,
    })
    hop.script = {}
    await at.clock.turn(HOUR_MS)
    await at.gone(await at.mail())
    const left = await at.spool.list()
    expect(left.every(({ recipients }) => recipients[0]?.attempt.at === "held")).toBe(true)
    expect(left.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  })

  test("flush tries at once, though the next hop was away and its back-off has not ended", async () => {
    const port = await freePort()
    await using at = await desk({ routeOf: routesOf(routeTo({ port })) })
    const id = await at.mail()
    await at.deferred(id)
    await using hop = await nextHop({}, port)
    expect(await queueOf(at).change({ how: "flush" }, ALL, WHO)).toEqual({ messages: 1, recipients: 1 })
    await at.gone(id)
    expect(hop.messages).toHaveLength(1)
  })

  test("deleted mail is gone, and nobody is told", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    expect(await queueOf(at).change({ how: "delete" }, { ...ALL, id }, WHO)).toEqual({ messages: 1, recipients: 1 })
    expect(await at.spool.list()).toEqual([])
    expect(await queueOf(at).change({ how: "delete" }, { ...ALL, id }, WHO)).toEqual({ messages: 0, recipients: 0 })
  })

  test("redirected mail goes to another address of the same friend, in the name of the first", async () => {
    await using hop = await nextHop({
      on: (command) => (command.startsWith("RCPT TO:<dave@") ? "451 4.2.2 full" : undefined),
    })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await at.deferred(id)
    const to = { how: "redirect", to: "dora@dave.example" } as const
    expect(await queueOf(at).change(to, { ...ALL, id }, WHO)).toEqual({ messages: 1, recipients: 1 })
    await at.gone(id)
    const asked = expect.stringContaining("ORCPT=rfc822;dave@dave.example")
    expect(hop.messages).toMatchObject([{ to: ["dora@dave.example"], rcptParameters: [asked] }])
  })

  test.each([
    ["carol@sender.example", "a stranger's domain"],
    ["eve@alice.example", "another friend's domain"],
    ["nobody@dave.example", "not on his list"],
    ["dave%stranger.example@dave.example", "a second hop"],
    ["no address", "no address"],
  ])("is not redirected to %s: %s", async (to) => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    const trail = keptTrail(at)
    const redirected = queueOf(at, trail).change({ how: "redirect", to }, { ...ALL, id }, WHO)
    await expect(redirected).rejects.toMatchObject({ fault: { code: "REDIRECT_REFUSED" } })
    expect((await at.spool.find(id))?.recipients[0]?.address).toBe("dave@dave.example")
    expect(trail.entries).toEqual([])
  })

  test("refused mail is told to its sender where he may be told, once and with the reason", async () => {
    await using home = await nextHop()
    const dave = routeTo({ port: await freePort() })
    await using at = await desk({ routeOf: routesOf(dave), ...mxAt(home) })
    const id = await at.mail()
    await at.deferred(id)
    const refuse = { how: "refuse", reason: "We do not buy\r\nhouses" } as const
    expect(await queueOf(at).change(refuse, { ...ALL, id }, WHO)).toEqual({ messages: 1, recipients: 1 })
    await eventually("the sender was told", () => home.messages.length === 1)
    expect(await at.spool.find(id)).toBeUndefined()
    const told = String(home.messages[0]?.content)
    expect(told).toContain("refused by hand: We do not buy houses")
    expect(told).toMatch(/^Action: failed\r\nStatus: 5\.7\.1/m)
  })

  test("where nobody may be told it is held, not told, and is not tried again", async () => {
    await using at = await desk({ routeOf: routesOf(routeTo({ port: await freePort() })), mayTell: () => false })
    const id = await at.mail()
    await at.deferred(id)
    await queueOf(at).change({ how: "refuse", reason: "spam" }, { ...ALL, id }, WHO)
    expect(await at.attempt(id)).toMatchObject({
      at: "held",
      because: expect.stringMatching(/^held, not told: .*spam/),
    })
    expect(await at.spool.list()).toHaveLength(1)
  })

  test("what is being sent at this moment is not refused: it may arrive, and its sender must not hear otherwise", async () => {
    await using hop = await nextHop({ greeting: "stall" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const id = await at.mail()
    await eventually("it is on its way", () => hop.open() === 1)
    const refused = await queueOf(at).change({ how: "refuse", reason: "" }, { ...ALL, id }, WHO)
    expect(refused).toEqual({ messages: 0, recipients: 0 })
    expect(at.log.all("sender-told")).toEqual([])
  })

  test("every change is written down before it is made, with who, when, what and which; what changes nothing is not", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    const other = await at.mail({ friend: "alice" })
    await at.deferred(id)
    await eventually("alice's waits", async () => (await at.attempt(other))?.at === "waiting")
    const trail = keptTrail(at)
    await queueOf(at, trail).change({ how: "hold" }, ALL, WHO)
    await queueOf(at, trail).change({ how: "hold" }, ALL, WHO)
    const about = { at: new Date(at.clock.now()).toISOString(), who: WHO, how: "hold" }
    expect(trail.entries).toEqual([
      { ...about, friend: "dave", messages: [id] },
      { ...about, friend: "alice", messages: [other] },
    ])
    expect(trail.states).toEqual(["waiting", "waiting"])
  })

  test("what cannot be written down is not done", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    const full: AuditTrail = { ...forgetfulTrail, append: () => Promise.reject(new Error("the disk is full")) }
    await expect(queueOf(at, full).change({ how: "delete" }, { ...ALL, id }, WHO)).rejects.toThrow("full")
    expect(await at.spool.list()).toHaveLength(1)
  })

  test("every change is in the log, with who made it", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    for (const how of ["hold", "release", "delete"] as const) await queueOf(at).change({ how }, { ...ALL, id }, WHO)
    const about = {
      level: "info",
      event: "queue changed",
      who: WHO,
      message: id,
      friend: "dave",
      from: "carol@sender.example",
      recipients: 1,
    }
    expect(at.log.all("queue changed")).toEqual([
      { ...about, how: "hold" },
      { ...about, how: "release" },
      { ...about, how: "delete" },
    ])
  })
})

/** Dave's server is down. */
async function deskWithoutHop(): Promise<Desk> {
  return desk({ routeOf: routesOf(routeTo({ port: await freePort() })) })
}

/** Dave takes mail for his people on the list; his brother at another domain is his too. */
function queueOf({ spool, delivery, clock, log }: Desk, trail: AuditTrail = forgetfulTrail): MailQueue {
  const recipients = { kind: "listed", localParts: new Set(["dave", "dora"]) } as const
  const route = routeTo({ port: 25 })
  const listed = { ...route, carry: { ...route.carry, recipients } } as Route
  const mailRoute: Redirects["mailRoute"] = (friend, domain) =>
    friend === "dave" && domain === "dave.example" ? listed : undefined
  return mailQueue({ name: BOB, spool, delivery, trail, redirects: { mailRoute, listIn: () => undefined }, clock, log })
}

const forgetfulTrail: AuditTrail = { append: async () => {}, read: async () => [] }

/** What was written down, and what the spool held at that moment. */
function keptTrail(at: Desk): AuditTrail & { readonly entries: AuditEntry[]; readonly states: string[] } {
  const entries: AuditEntry[] = []
  const states: string[] = []
  return {
    entries,
    states,
    append: async (more) => {
      if (more.length === 0) return
      entries.push(...more)
      for (const { recipients } of await at.spool.list()) states.push(...recipients.map(({ attempt }) => attempt.at))
    },
    read: async () => entries,
  }
}
