import { describe, expect, test } from "@jest/globals"
import { mailQueue, type MailQueue } from "../../../src/relay/mail-queue.ts"
import { DAY_MS, desk, HOUR_MS, MINUTE_MS, routesOf, routeTo, type Desk } from "../../support/delivery.ts"
import { DEFAULT_LIMITS } from "../../../src/config/config.ts"
import { eventually } from "../../support/eventually.ts"
import { nextHop } from "../../support/next-hop.ts"
import { freePort } from "../../support/program.ts"

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
    expect(await queueOf(at).change("hold", { ...ALL, id })).toEqual({ messages: 1, recipients: 1 })
    await at.delivery.wake("dave")
    await at.clock.turn(DAY_MS)
    await at.gone(await at.mail())
    expect(hop.messages).toHaveLength(1)
    await queueOf(at).change("release", { ...ALL, id })
    await at.gone(id)
    expect(hop.messages).toHaveLength(2)
  })

  test("mail that lies in line behind a busy next hop is held too", async () => {
    await using hop = await nextHop({ greeting: "stall" })
    await using at = await desk({ routeOf: routesOf(routeTo(hop)) })
    const ids = await Promise.all(Array.from({ length: DEFAULT_LIMITS.deliveriesPerFriendMax + 5 }, () => at.mail()))
    await eventually("every lane is stuck", () => hop.open() === DEFAULT_LIMITS.deliveriesPerFriendMax)
    expect(await queueOf(at).change("hold", { ...ALL, friend: "dave" })).toEqual({ messages: 15, recipients: 15 })
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
    expect(await queueOf(at).change("flush", ALL)).toEqual({ messages: 1, recipients: 1 })
    await at.gone(id)
    expect(hop.messages).toHaveLength(1)
  })

  test("deleted mail is gone, and nobody is told", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    expect(await queueOf(at).change("delete", { ...ALL, id })).toEqual({ messages: 1, recipients: 1 })
    expect(await at.spool.list()).toEqual([])
    expect(await queueOf(at).change("delete", { ...ALL, id })).toEqual({ messages: 0, recipients: 0 })
  })

  test("every change is in the log, with who made it", async () => {
    await using at = await deskWithoutHop()
    const id = await at.mail()
    await at.deferred(id)
    for (const how of ["hold", "release", "delete"] as const) await queueOf(at).change(how, { ...ALL, id })
    const about = {
      level: "info",
      event: "queue changed",
      who: "operator",
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

function queueOf({ spool, delivery, clock, log }: Desk): MailQueue {
  return mailQueue({ spool, delivery, clock, log })
}
