import { afterEach, describe, expect, test } from "@jest/globals"
import { systemClock } from "../../../../src/clock/clock.ts"
import { silentLog } from "../../../../src/log/log.ts"
import type { IpAddress } from "../../../../src/names/ip-address.ts"
import { Checker } from "../../../../src/smtp/auth/checker.ts"
import { startBetween } from "../../../support/cut-through.ts"
import { BOB } from "../../../support/delivery.ts"
import { eventually } from "../../../support/eventually.ts"
import { nameServer } from "../../../support/name-server.ts"
import { nextHop, type NextHop, type NextHopScript } from "../../../support/next-hop.ts"
import { freePort } from "../../../support/program.ts"
import { CAROLS_MAIL, SENDERS_ZONE, signed } from "../../../support/signed-mail.ts"
import { SmtpClient } from "../../../support/smtp-dialogue.ts"
import { contentOf } from "../../../support/spool.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"
const KEPT = expect.stringMatching(/^250 2\.0\.0 Kept as [a-z2-7]{16}$/)
const CAROL = "192.0.2.1" as IpAddress
const STRANGER = "203.0.113.66" as IpAddress
const FORGED = "Authentication-Results: relay.bob.example;\r\n\tspf=pass; dkim=pass; dmarc=pass\r\n"
/** What Dave's filter reads on top of the message, before our Received line. */
const GENUINE =
  /^Authentication-Results: relay\.bob\.example;\r\n\tspf=pass[^]*?;\r\n\tdkim=pass[^]*?;\r\n\tdmarc=pass[^]*?\r\nReceived-SPF: pass [^]*?\r\nReceived: from /
const LIE =
  /^Authentication-Results: relay\.bob\.example;\r\n\tspf=fail[^]*?;\r\n\tdkim=none;\r\n\tdmarc=fail[^]*?policy\.dmarc=reject\r\nReceived-SPF: fail /

const closing: AsyncDisposableStack[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.disposeAsync()
})

/** Bob's relay, which finds out who writes to Dave. */
async function startBob(hop: Pick<NextHop, "port">, from = CAROL) {
  const stack = new AsyncDisposableStack()
  closing.push(stack)
  const dns = stack.use(await nameServer(SENDERS_ZONE))
  const asked = { name: BOB, nameServers: [dns.at], clock: systemClock, log: silentLog }
  const checker = stack.adopt(new Checker(asked), (one) => one.close())
  const limits = { messageBytesMax: 10_000_000 }
  return stack.use(await startBetween(hop, { checker, from, limits, carry: { authenticate: true } }))
}

async function startHop(script?: NextHopScript): Promise<NextHop> {
  const stack = new AsyncDisposableStack()
  closing.push(stack)
  return stack.use(await nextHop(script))
}

async function kept(bob: Awaited<ReturnType<typeof startBob>>): Promise<string> {
  const [only, ...more] = await bob.spool.list()
  expect(more).toEqual([])
  return only ? (await contentOf(bob.spool, only.id)).toString() : "nothing"
}

function withDots(message: string): string {
  return `${message.replace(/^\./gm, "..")}.`
}

describe("Dave asks who his mail is from", () => {
  test("his server is told on top of what passes, and the sender hears its reply", async () => {
    const hop = await startHop({ on: (line) => (line === "." ? "250 2.6.0 Stored as 42" : undefined) })
    const bob = await startBob(hop)
    using carol = await SmtpClient.greeted(bob.port)
    const message = await signed(CAROLS_MAIL)
    expect(await carol.says(MAIL, RCPT, "DATA", withDots(message))).toBe("250 2.6.0 Stored as 42")
    const [first] = hop.messages
    expect(first?.content.toString()).toMatch(GENUINE)
    expect(first?.content.toString().endsWith(message)).toBe(true)
    expect(await bob.spool.list()).toEqual([])
  })

  test("and on top of what is kept while it is away", async () => {
    const bob = await startBob({ port: await freePort() })
    using carol = await SmtpClient.greeted(bob.port)
    const message = await signed(CAROLS_MAIL)
    expect(await carol.says(MAIL, RCPT, "DATA", withDots(message))).toEqual(KEPT)
    expect(await kept(bob)).toMatch(GENUINE)
    expect((await kept(bob)).endsWith(message)).toBe(true)
  })

  test("who forges Carol's name and the results too is found out", async () => {
    const hop = await startHop()
    const bob = await startBob(hop, STRANGER)
    using stranger = await SmtpClient.greeted(bob.port)
    expect(await stranger.says(MAIL, RCPT, "DATA", withDots(FORGED + CAROLS_MAIL))).toBe("250 2.0.0 Ok: queued")
    const content = hop.messages[0]?.content.toString() ?? ""
    expect(content).toMatch(LIE)
    expect(content.match(/^Authentication-Results:/gim)).toHaveLength(1)
    expect(content.endsWith(CAROLS_MAIL)).toBe(true)
  })

  test("a message that is too large for memory passes whole, by BDAT too", async () => {
    const hop = await startHop()
    const bob = await startBob(hop)
    using carol = await SmtpClient.greeted(bob.port)
    const message = await signed(`${CAROLS_MAIL}${"Meet me at noon, under the clock.\r\n".repeat(20_000)}`)
    await carol.says(MAIL, RCPT)
    const half = Math.floor(message.length / 2)
    carol.sends(`BDAT ${half}\r\n${message.slice(0, half)}`)
    expect(await carol.reply()).toMatch(/^250 /)
    carol.sends(`BDAT ${message.length - half} LAST\r\n${message.slice(half)}`)
    expect(await carol.reply()).toBe("250 2.0.0 Ok: queued")
    const content = hop.messages[0]?.content.toString() ?? ""
    expect(content).toMatch(GENUINE)
    expect(content.endsWith(message)).toBe(true)
    expect(await bob.spool.usage("dave")).toEqual({ messages: 0, bytes: 0 })
  })

  test("his server gets nothing of the content before all of it was looked at", async () => {
    const hop = await startHop()
    const bob = await startBob(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    await eventually("Dave's server waits for content", () => hop.sessions[0]?.commands.includes("DATA"))
    carol.sends(CAROLS_MAIL)
    carol.hangsUp()
    await eventually("it is left alone", () => hop.open() === 0)
    expect(hop.messages).toEqual([])
    expect(await bob.spool.list()).toEqual([])
  })

  test.each(["drop", "421 4.3.2 Going away"])("what it ends with %j is kept, with what was found", async (fault) => {
    const hop = await startHop({ midContent: { afterBytes: 100, fault } })
    const bob = await startBob(hop)
    using carol = await SmtpClient.greeted(bob.port)
    const message = await signed(`${CAROLS_MAIL}${"x\r\n".repeat(100_000)}`)
    expect(await carol.says(MAIL, RCPT, "DATA", withDots(message))).toEqual(KEPT)
    expect(await kept(bob)).toMatch(GENUINE)
    expect((await kept(bob)).endsWith(message)).toBe(true)
  })

  test("what is refused is not looked at for longer, and the session goes on", async () => {
    const hop = await startHop()
    const bob = await startBob(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", "From: x\r\n\r\nbare \n line\r\n.")).toMatch(/^550 5\.6\.11 /)
    expect(await carol.says(MAIL, RCPT, "DATA", withDots(CAROLS_MAIL))).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages).toHaveLength(1)
  })
})

describe("a friend who does not ask", () => {
  test("gets no results; forged ones in our name are taken out all the same", async () => {
    const hop = await startHop()
    await using bob = await startBetween(hop)
    using stranger = await SmtpClient.greeted(bob.port)
    expect(await stranger.says(MAIL, RCPT, "DATA", withDots(FORGED + CAROLS_MAIL))).toBe("250 2.0.0 Ok: queued")
    const content = hop.messages[0]?.content.toString() ?? ""
    expect(content).toMatch(/^Received: from /)
    expect(content).not.toMatch(/^Authentication-Results:/im)
    expect(content.endsWith(CAROLS_MAIL)).toBe(true)
  })
})
