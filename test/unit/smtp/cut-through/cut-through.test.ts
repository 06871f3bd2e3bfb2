/** Mail that passes through while its sender waits: never both passed on and kept, never neither. */
import { randomBytes } from "node:crypto"
import { setTimeout as sleep } from "node:timers/promises"
import { describe, expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../../src/faults/faults.ts"
import { AWAY_MEMORY_MS, PASSAGES_PER_DESTINATION_MAX, REPLY_MS } from "../../../../src/smtp/cut-through/cut-through.ts"
import { FINAL_REPLY_MS } from "../../../../src/smtp/cut-through/passage.ts"
import { LINGER_MS } from "../../../../src/smtp/delivery/lanes.ts"
import { UNKNOWN_MS } from "../../../../src/smtp/cut-through/recipient-memory.ts"
import type { Draft, Spool } from "../../../../src/store/spool.ts"
import { startBetween } from "../../../support/cut-through.ts"
import { eventually } from "../../../support/eventually.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { freePort } from "../../../support/program.ts"
import { onlyMessage, SmtpClient } from "../../../support/smtp-dialogue.ts"
import { temporarySpool } from "../../../support/spool.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"

/** Carol mails once, and is gone; what she heard after the content. */
async function mailsAndGoes(bob: Awaited<ReturnType<typeof startBetween>>, content: string): Promise<string> {
  using carol = await SmtpClient.greeted(bob.port)
  const heard = await carol.says(MAIL, RCPT, "DATA", `${content}\r\n.`)
  await carol.says("QUIT")
  await eventually("she is gone", () => bob.server.sessions === 0)
  return heard
}
const KEPT = expect.stringMatching(/^250 2\.0\.0 Kept as [a-z2-7]{16}$/)

describe("while the friend's server is there", () => {
  test("the sender hears its own replies, and nothing is kept", async () => {
    await using hop = await nextHop({ on: (line) => (line === "." ? "250 2.6.0 Stored as 42" : undefined) })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toBe("250 2.1.5 Ok")
    expect(await carol.says("DATA", "Subject: noon\r\n\r\n..dot\r\n.")).toBe("250 2.6.0 Stored as 42")
    expect(await bob.spool.list()).toEqual([])
    expect(hop.messages).toEqual([
      expect.objectContaining({ from: "carol@sender.example", to: ["dave@dave.example"], session: 0 }),
    ])
    expect(hop.messages[0]?.content.toString()).toMatch(
      /^Received: from mx\.sender\.example \(.*\r\n\tby relay\.bob\.example with ESMTP id [^]*\r\nSubject: noon\r\n\r\n\.dot\r\n$/,
    )
    expect(bob.log.all("mail-delivered")).toMatchObject([{ recipient: "dave@dave.example", passed: true }])
  })

  test.each([
    ["550 5.1.1 No such user", "550 5.1.1 No such user"],
    ["450 4.2.0 Greylisted", "450 4.2.0 Greylisted"],
    ["550 no such user", "550 5.0.0 no such user"],
    ["550-5.7.1 Two\r\n550 5.7.1 lines", "550 5.7.1 Two lines"],
    [`550 5.7.1 ${"long ".repeat(200)}`, expect.stringMatching(/^550 5\.7\.1 [long ]{300,400}$/)],
  ])("a recipient that it answers with %j is answered so", async (said, heard) => {
    await using hop = await nextHop({ on: (line) => (line.includes("erin") ? said : undefined) })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, "RCPT TO:<erin@dave.example>")).toEqual(heard)
    expect(await carol.says("DATA")).toMatch(/^503 5\.5\.1 /)
    expect(await carol.says(RCPT, "DATA", "x\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages[0]?.to).toEqual(["dave@dave.example"])
    expect(await bob.spool.list()).toEqual([])
  })

  test("a sender that it refuses is refused at every recipient", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("MAIL") ? "553 5.1.8 Who?" : undefined) })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toBe("553 5.1.8 Who?")
    expect(await carol.says("RCPT TO:<erin@dave.example>")).toBe("553 5.1.8 Who?")
    expect(await carol.says("RSET", "DATA")).toMatch(/^503 5\.5\.1 /)
    expect(hop.sessions[0]?.commands.filter((line) => line.startsWith("RCPT"))).toEqual([])
  })

  test.each(["552 5.3.4 Too much", "451 4.7.1 Try later"])(
    "content that it answers with %j is answered so",
    async (said) => {
      await using hop = await nextHop({ on: (line) => (line === "." ? said : undefined) })
      await using bob = await startBetween(hop)
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toBe(said)
      expect(await bob.spool.list()).toEqual([])
    },
  )

  test("DATA that it answers with 451 is answered so, and the transaction is over", async () => {
    await using hop = await nextHop({ on: (line) => (line === "DATA" ? "451 4.3.0 Not now" : undefined) })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA")).toBe("451 4.3.0 Not now")
    expect(await carol.says("DATA")).toMatch(/^503 5\.5\.1 /)
    expect(await carol.says(MAIL)).toMatch(/^250 /)
  })

  test("an early refusal is answered at the end, where alone a client listens", async () => {
    await using hop = await nextHop({ midContent: { afterBytes: 10, fault: "552 5.3.4 Enough" } })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("one\r\n")
    await eventually("it has refused", () => hop.open() > 0 && bob.server.sessions > 0)
    await sleep(50)
    expect(await carol.says("two\r\n.")).toBe("552 5.3.4 Enough")
    expect(await bob.spool.list()).toEqual([])
    expect(hop.messages).toEqual([])
  })

  test("several messages of one session go over one connection, with RSET where one was not finished", async () => {
    const clock = handClock()
    await using hop = await nextHop()
    await using bob = await startBetween(hop, { clock })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA", "one\r\n.")
    await carol.says(MAIL, RCPT, "RSET")
    await carol.says(MAIL, RCPT, "DATA", "two\r\n.")
    expect(hop.sessions).toHaveLength(1)
    expect(hop.messages).toHaveLength(2)
    const verbs = hop.sessions[0]?.commands.map((line) => line.split(" ")[0])
    expect(verbs?.join(" ")).toBe("EHLO MAIL RCPT DATA MAIL RCPT RSET MAIL RCPT DATA")
    await carol.says("QUIT")
    await eventually("Carol is gone", () => bob.server.sessions === 0)
    await clock.turn(LINGER_MS)
    await eventually("the connection is given back", () => hop.open() === 0)
    expect(hop.sessions[0]?.commands.at(-1)).toBe("QUIT")
  })

  test("the next sender goes over the connection that the last one has left, one message behind the other", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    for (const content of ["one", "two"]) await mailsAndGoes(bob, content)
    expect(hop.messages).toHaveLength(2)
    const verbs = hop.sessions.map(({ commands }) => commands.map((line) => line.split(" ")[0]).join(" "))
    expect(verbs).toEqual(["EHLO MAIL RCPT DATA MAIL RCPT DATA"])
  })

  test("one whose server was told who the sender is ends with him", async () => {
    const xclient = (line: string) => (line.startsWith("XCLIENT") ? "220 dave.example ESMTP" : undefined)
    await using hop = await nextHop({ extensions: ["XCLIENT NAME ADDR"], on: xclient })
    await using bob = await startBetween(hop, { carry: { xclient: true } })
    for (const content of ["one", "two"]) expect(await mailsAndGoes(bob, content)).toBe("250 2.0.0 Ok: queued")
    expect(hop.sessions).toHaveLength(2)
  })

  test("one that was left amid a transaction is not used again", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    for (const command of [MAIL, MAIL]) {
      using carol = await SmtpClient.greeted(bob.port)
      await carol.says(command, RCPT)
      carol.hangsUp()
      await eventually("she is gone", () => bob.server.sessions === 0)
    }
    expect(hop.sessions).toHaveLength(2)
  })

  test("one that its server has closed meanwhile is replaced, and the sender hears nothing of it", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    await mailsAndGoes(bob, "one")
    const calls = hop.sessions.length
    hop.script = { on: (line) => (line.startsWith("MAIL") && hop.sessions.length === calls ? "drop" : undefined) }
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", "two\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(await bob.spool.list()).toEqual([])
    expect(hop.sessions).toHaveLength(2)
  })

  test("a relay that stops closes those that nobody uses", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    await mailsAndGoes(bob, "one")
    expect(hop.open()).toBe(1)
    await bob.server.stop()
    await eventually("it is given back", () => hop.open() === 0)
    expect(hop.sessions[0]?.commands.at(-1)).toBe("QUIT")
  })

  test("a connection that is not used is given back, and the next message gets another", async () => {
    const clock = handClock()
    await using hop = await nextHop()
    await using bob = await startBetween(hop, { clock })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA", "one\r\n.")
    await clock.turn(LINGER_MS)
    await eventually("it is given back", () => hop.open() === 0)
    expect(await carol.says(MAIL, RCPT, "DATA", "two\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(hop.sessions).toHaveLength(2)
  })

  test("what the sender asked for is asked for there", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(
      "MAIL FROM:<carol@sender.example> SIZE=4 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
      "RCPT TO:<dave@dave.example> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;A@dave.example",
      "DATA",
      "x\r\n.",
    )
    expect(hop.messages[0]).toMatchObject({
      mailParameters: "SIZE=4 BODY=8BITMIME RET=HDRS ENVID=a+2Bb",
      rcptParameters: ["NOTIFY=SUCCESS,DELAY ORCPT=rfc822;A@dave.example"],
    })
  })

  test("content in chunks (BDAT) passes through as well", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    carol.sends("BDAT 5\r\none\r\nBDAT 6 LAST\r\n.two\r\n")
    expect(await carol.reply()).toBe("250 2.0.0 5 octets taken")
    expect(await carol.reply()).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages[0]?.content.toString()).toMatch(/\r\none\r\n\.two\r\n$/)
  })

  test("content that is larger than all buffers arrives as it is", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    const lines = Array.from({ length: 9000 }, () => `.${randomBytes(70).toString("base64url")}\r\n`)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends(`${lines.map((line) => `.${line}`).join("")}.\r\n`)
    expect(await carol.reply()).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages[0]?.content.toString().endsWith(lines.join(""))).toBe(true)
    expect(await bob.spool.list()).toEqual([])
  })

  test("content that its server takes late arrives as it is, though the memory of what is out was given back", async () => {
    await using hop = await nextHop({ midContent: { afterBytes: 1, fault: "pause" } })
    await using bob = await startBetween(hop, { limits: { messageBytesMax: 20_000_000 } })
    using carol = await SmtpClient.greeted(bob.port)
    const lines = Array.from({ length: 100_000 }, (_, index) => `${index} `.padEnd(98, "x") + "\r\n").join("")
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends(`${lines}.\r\n`)
    await sleep(500) // the system's buffers are full, and the relay's own
    hop.resume()
    expect(await carol.reply()).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages[0]?.content.subarray(-lines.length).equals(Buffer.from(lines))).toBe(true)
  })

  test.each([
    ["a bare LF", "one\ntwo\r\n.", /^550 5\.6\.11 /],
    ["a NUL", "\0\r\n.", /^550 5\.6\.0 /],
  ])("content with %s is refused here, and its server never sees an end of it", async (_, content, reply) => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", content)).toMatch(reply)
    await eventually("its connection is cut", () => hop.open() === 0)
    expect(hop.messages).toEqual([])
    expect(await bob.spool.list()).toEqual([])
  })

  test("a client that hangs up in the middle has sent nothing", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("one\r\n")
    carol.hangsUp()
    await eventually("all are gone", () => hop.open() === 0 && bob.server.sessions === 0)
    expect(hop.messages).toEqual([])
    expect(await bob.spool.list()).toEqual([])
  })

  test("a client that talks on before 354 is refused", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    hop.script = { on: (line) => (line === "DATA" ? "stall" : undefined) }
    carol.sends("DATA\r\n")
    await eventually("its server was asked", () => hop.sessions[0]?.commands.includes("DATA"))
    carol.sends("x\r\n.\r\n")
    await sleep(50)
    hop.script = {}
    await hop[Symbol.asyncDispose]()
    expect(await carol.reply()).toMatch(/^554 5\.5\.0 /)
  })

  test("that our spool is full is no reason to refuse", async () => {
    const full = () => Promise.reject(new FaultError(fault("SPOOL_FULL", "test")))
    await using hop = await nextHop()
    await using kept = await temporarySpool()
    await using bob = await startBetween(hop, { spool: failing(kept.spool, { write: full, commit: full }) })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toBe("250 2.0.0 Ok: queued")
  })

  test("no more connections than it gets; who comes next is asked to try later", async () => {
    await using hop = await nextHop()
    await using bob = await startBetween(hop)
    const senders = await Promise.all(
      Array.from({ length: PASSAGES_PER_DESTINATION_MAX + 1 }, () => SmtpClient.greeted(bob.port)),
    )
    const replies = await Promise.all(senders.map((sender) => sender.says(MAIL, RCPT)))
    expect(replies.filter((reply) => reply === "250 2.1.5 Ok")).toHaveLength(PASSAGES_PER_DESTINATION_MAX)
    expect(replies.filter((reply) => reply.startsWith("451 4.3.2 "))).toHaveLength(1)
    expect(await bob.spool.list()).toEqual([])
    for (const sender of senders) sender.hangsUp()
    await eventually("all are given back", () => hop.open() === 0)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT)).toBe("250 2.1.5 Ok")
  })

  test.each([
    ["NOTIFY=SUCCESS, which somebody has to answer", ["SMTPUTF8"], MAIL, `${RCPT} NOTIFY=SUCCESS`],
    ["SMTPUTF8, which its header may need", ["DSN"], `${MAIL} SMTPUTF8`, RCPT],
  ])("mail with %s, and a server without it, is left to the queue", async (_, extensions, mail, rcpt) => {
    await using hop = await nextHop({ extensions })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(mail, rcpt, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(hop.messages).toEqual([])
  })

  test("an address that it cannot have is refused for it", async () => {
    await using hop = await nextHop({ extensions: [] })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(`${MAIL} SMTPUTF8`, "RCPT TO:<dävе@dave.example>")).toMatch(/^554 5\.6\.7 /)
  })
})

describe("while the friend's server is away", () => {
  test("mail is kept, and it is not asked again at once", async () => {
    const clock = handClock()
    const port = await freePort()
    const came: string[] = []
    await using bob = await startBetween({ port }, { clock, cameBack: (friend) => came.push(friend) })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    await using hop = await nextHop({}, port)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(hop.sessions).toEqual([])
    expect(came).toEqual([])
    await clock.turn(AWAY_MEMORY_MS)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(came).toEqual(["dave"])
    expect(await bob.spool.list()).toHaveLength(2)
  })

  test("it is asked at once when it is known to be back", async () => {
    const port = await freePort()
    await using bob = await startBetween({ port })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "RSET")).toBe("250 2.0.0 Flushed")
    await using hop = await nextHop({}, port)
    bob.cutThrough.forgive("dave")
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toBe("250 2.0.0 Ok: queued")
    expect(hop.messages).toHaveLength(1)
  })

  test.each(["554 5.7.1 Not you", "421 4.3.2 Later", "drop"])(
    "a greeting of %j is a server that is away",
    async (greeting) => {
      await using hop = await nextHop({ greeting })
      await using bob = await startBetween(hop)
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    },
  )

  test("a silent one counts as away before the sender loses patience", async () => {
    const clock = handClock()
    await using hop = await nextHop({ greeting: "stall" })
    await using bob = await startBetween(hop, { clock })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL)
    carol.sends(`${RCPT}\r\n`)
    await eventually("it was called", () => hop.sessions.length > 0)
    await clock.turn(REPLY_MS)
    expect(await carol.reply()).toBe("250 2.1.5 Recipient taken")
    expect(await carol.says("DATA", "x\r\n.")).toEqual(KEPT)
  })
})

describe("recipients that the friend's server was asked about", () => {
  const ERIN = "RCPT TO:<erin@dave.example>"
  const knowsDave = (line: string) => (line === ERIN ? "550 5.1.1 No such user" : undefined)

  test("are still unknown while it is away, and nobody else is", async () => {
    const port = await freePort()
    await using bob = await startBetween({ port })
    {
      await using hop = await nextHop({ on: knowsDave }, port)
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, ERIN)).toBe("550 5.1.1 No such user")
      expect(hop.sessions).toHaveLength(1)
    }
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, ERIN)).toMatch(/^550 5\.1\.1 No such recipient here/)
    expect(await carol.says(RCPT)).toBe("250 2.1.5 Recipient taken")
  })

  test("are asked about by nobody, once, where mail is kept first", async () => {
    const clock = handClock()
    await using hop = await nextHop({ on: knowsDave })
    const carry = { cutThrough: false, recipients: { kind: "asked" } } as const
    await using bob = await startBetween(hop, { clock, carry })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, ERIN)).toBe("550 5.1.1 No such user")
    expect(await carol.says(RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(await carol.says(MAIL, ERIN)).toMatch(/^550 5\.1\.1 No such recipient here/)
    expect(await carol.says(RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(hop.sessions.flatMap(({ commands }) => commands.slice(1, 4))).toEqual(["MAIL FROM:<>", ERIN, RCPT])
    expect(hop.messages).toEqual([])
    await clock.turn(UNKNOWN_MS)
    using later = await SmtpClient.greeted(bob.port)
    expect(await later.says(MAIL, ERIN)).toBe("550 5.1.1 No such user")
  })

  test.each(["550 5.7.1 Nobody's mail is not taken", "drop"])(
    "a server that answers nobody with %j cannot be asked",
    async (said) => {
      await using hop = await nextHop({ on: (line) => (line.startsWith("MAIL") ? said : undefined) })
      const carry = { cutThrough: false, recipients: { kind: "asked" } } as const
      await using bob = await startBetween(hop, { carry })
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    },
  )
})

describe("a server that goes away in the middle", () => {
  const gone = ["drop", "reset", "421 4.3.2 Shutting down", "nonsense", "334 What?"]
  test.each(gone.flatMap((said) => ["MAIL", "RCPT", "DATA"].map((verb) => [said, verb] as const)))(
    "with %j at %s: the message is kept, and goes nowhere else",
    async (said, verb) => {
      await using hop = await nextHop({ on: (line) => (line.startsWith(verb) ? said : undefined) })
      await using bob = await startBetween(hop)
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
      expect(hop.messages).toEqual([])
      expect(await bob.spool.list()).toHaveLength(1)
    },
  )

  test.each(["drop", "reset", "421 4.3.2 Shutting down", "250 2.0.0 Thanks already"])(
    "with %j amid the content: kept whole",
    async (said) => {
      let hasSaid = false
      const fault = (): string => ((hasSaid = true), said)
      await using hop = await nextHop({
        midContent: {
          afterBytes: 200,
          get fault() {
            return fault()
          },
        },
      })
      await using bob = await startBetween(hop)
      using carol = await SmtpClient.greeted(bob.port)
      await carol.says(MAIL, RCPT, "DATA")
      carol.sends(`${"one\r\n".repeat(100)}`)
      await eventually("it has said so", () => hasSaid)
      await sleep(50)
      expect(await carol.says("two\r\n.")).toEqual(KEPT)
      expect(await onlyMessage(bob.spool)).toBe(`${"one\r\n".repeat(100)}two\r\n`)
      expect(hop.messages).toEqual([])
    },
  )

  test.each(["drop", "421 4.3.2 Shutting down"])(
    "with %j instead of a reply to the end: kept, for nobody knows what became of it",
    async (said) => {
      await using hop = await nextHop({ on: (line) => (line === "." ? said : undefined) })
      await using bob = await startBetween(hop)
      using carol = await SmtpClient.greeted(bob.port)
      expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
      expect(await onlyMessage(bob.spool)).toBe("x\r\n")
    },
  )

  test("with silence instead of that reply: kept, before the sender loses patience", async () => {
    const clock = handClock()
    await using hop = await nextHop({ on: (line) => (line === "." ? "stall" : undefined) })
    await using bob = await startBetween(hop, { clock })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("x\r\n.\r\n")
    await eventually("it has all", () => hop.sessions[0]?.commands.includes("DATA"))
    await sleep(50)
    await clock.turn(FINAL_REPLY_MS)
    expect(await carol.reply()).toEqual(KEPT)
  })

  test("and our spool is full: the mail stays the sender's", async () => {
    const full = () => Promise.reject(new FaultError(fault("SPOOL_FULL", "test")))
    await using hop = await nextHop({ on: (line) => (line === "." ? "drop" : undefined) })
    await using kept = await temporarySpool()
    await using bob = await startBetween(hop, { spool: failing(kept.spool, { commit: full }) })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toMatch(/^452 4\.3\.1 /)
  })

  test("recipients it had taken are kept, those it refused are not", async () => {
    await using hop = await nextHop({
      on: (line) => (line.includes("erin") ? "550 5.1.1 No" : line === "DATA" ? "drop" : undefined),
    })
    await using bob = await startBetween(hop)
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "RCPT TO:<erin@dave.example>")).toBe("550 5.1.1 No")
    expect(await carol.says("DATA", "x\r\n.")).toEqual(KEPT)
    const [message] = await bob.spool.list()
    expect(message?.recipients.map(({ address }) => address)).toEqual(["dave@dave.example"])
  })
})

/** What intake sees of a spool: its drafts fail as given. */
function failing(spool: Spool, broken: Partial<Draft>): Spool {
  const draft = (): Draft => Object.assign(spool.draft(), broken)
  return new Proxy(spool, {
    get: (target, name: keyof Spool) => (name === "draft" ? draft : target[name].bind(target)),
  })
}
