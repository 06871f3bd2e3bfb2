/** What a friend may ask of strangers, as a stranger meets it. */
import { describe, expect, test } from "@jest/globals"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import type { Route } from "../../../../src/route/route.ts"
import { LIST_MS, Strangers, type StrangersOptions } from "../../../../src/smtp/intake/strangers.ts"
import { GREYLIST_DELAY_MS, openGreylist } from "../../../../src/store/greylist.ts"
import { startBetween } from "../../../support/cut-through.ts"
import { eventually } from "../../../support/eventually.ts"
import { handClock, type HandClock } from "../../../support/hand-clock.ts"
import { keptLog } from "../../../support/kept-log.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { freePort, scratchFolder } from "../../../support/program.ts"
import { mailRoute, SmtpClient, startMailHost } from "../../../support/smtp-dialogue.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"
const LISTS = ["one.example", "two.example"].map((name) => hostname(name) as Hostname)

describe("greylisting", () => {
  test("asks a stranger to come again, and takes the mail then", async () => {
    await using folder = await scratchFolder()
    const clock = handClock()
    await using bob = await startMailHost({ clock, ...(await guarded(folder.path, clock, { greylist: true })) })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toMatch(/^451 4\.7\.1 We have not met you yet/)
    expect(await carol.says("RCPT TO:<postmaster@dave.example>")).toMatch(/^250 /)
    expect(await carol.says("RSET", MAIL, RCPT)).toMatch(/^451 /)
    await clock.turn(GREYLIST_DELAY_MS)
    using again = await SmtpClient.greeted(bob.port)
    expect(await again.says(MAIL, RCPT, "DATA", "x\r\n.")).toMatch(/^250 2\.0\.0 Kept/)
  })

  test("guards the keeping alone: while the friend's server is there, it judges for itself", async () => {
    await using folder = await scratchFolder()
    const clock = handClock()
    const port = await freePort()
    const { strangers } = await guarded(folder.path, clock, {})
    await using bob = await startBetween({ port }, { clock, strangers, carry: { greylist: true } })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toMatch(/^451 4\.7\.1 /)
    await using hop = await nextHop({}, port)
    bob.cutThrough.forgive("dave")
    expect(await carol.says("RSET", MAIL, RCPT, "DATA", "x\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages).toHaveLength(1)
  })
})

describe("block lists", () => {
  test("who is on one is refused, but may write to postmaster; each is asked once in a session", async () => {
    await using folder = await scratchFolder()
    const asked: string[] = []
    const isListed: StrangersOptions["isListed"] = (address, list) => {
      asked.push(`${address} ${list}`)
      return Promise.resolve(list === "two.example")
    }
    const host = await guarded(folder.path, handClock(), { blockLists: LISTS }, isListed)
    await using bob = await startMailHost(host)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toMatch(/^550 5\.7\.1 Your address is on a block list/)
    expect(await carol.says("RCPT TO:<erin@dave.example>")).toMatch(/^550 5\.7\.1 /)
    expect(await carol.says("RCPT TO:<abuse@dave.example>")).toMatch(/^250 /)
    expect(asked).toEqual(["127.0.0.1 one.example", "127.0.0.1 two.example"])
  })

  test("a list that fails, or says nothing, refuses nobody", async () => {
    await using folder = await scratchFolder()
    const clock = handClock()
    const asked: string[] = []
    const isListed: StrangersOptions["isListed"] = (_, list) => {
      asked.push(list)
      return list === "one.example" ? Promise.reject(new Error("no")) : new Promise(() => {})
    }
    await using bob = await startMailHost({
      clock,
      ...(await guarded(folder.path, clock, { blockLists: LISTS }, isListed)),
    })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL)
    carol.sends(`${RCPT}\r\n`)
    await eventually("they are asked", () => asked.length === 2)
    await clock.turn(LIST_MS)
    expect(await carol.reply()).toMatch(/^250 /)
  })
})

describe("a listener that waits before it greets", () => {
  test("greets who waits, and turns away who talks", async () => {
    const clock = handClock()
    const log = keptLog()
    await using bob = await startMailHost({ clock, log, greetWaitMs: (listener) => (listener === "smtp" ? 6_000 : 0) })
    const patient = SmtpClient.connect(bob.port)
    const hasty = SmtpClient.connect(bob.port)
    await eventually("both are there", () => bob.server.sessions === 2)
    await clock.turn(5_999)
    using carol = await Promise.race([patient, clock.turn(1).then(() => patient)])
    expect(await carol.says("EHLO mx.sender.example")).toMatch(/^250-/)
    ;(await hasty).hangsUp()
    await using other = await startMailHost({ clock, log, greetWaitMs: () => 6_000 })
    using spammer = SmtpClient.ungreeted(other.port)
    spammer.sends("EHLO spam.example\r\nMAIL FROM:<>\r\n")
    expect(await spammer.repliesUntilClosed()).toEqual(["421 4.7.0 You talked before you were greeted"])
    expect(log.all("mail-refused")).toMatchObject([{ code: "TALKED_TOO_SOON" }])
  })

  test("forgets who hung up meanwhile", async () => {
    const clock = handClock()
    await using bob = await startMailHost({ clock, greetWaitMs: () => 6_000 })
    using carol = SmtpClient.ungreeted(bob.port)
    await eventually("she is there", () => bob.server.sessions === 1)
    carol.hangsUp()
    await eventually("she is gone", () => bob.server.sessions === 0)
    await clock.turn(6_000)
  })
})

/** A host whose route for dave.example asks this of strangers. */
async function guarded(
  folder: string,
  clock: HandClock,
  asks: Partial<Extract<Route["carry"], { as: "mail" }>>,
  isListed: StrangersOptions["isListed"] = () => Promise.resolve(false),
) {
  const { carry, ...route } = mailRoute("dave", { kind: "any" })
  const guardedRoute = { ...route, carry: { ...carry, ...asks } } as Route
  const strangers = new Strangers({ clock, greylist: openGreylist(folder, keptLog()), isListed })
  return { strangers, routeFor: () => guardedRoute }
}
