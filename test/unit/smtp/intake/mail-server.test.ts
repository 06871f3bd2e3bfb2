/** The way in as a stranger sees it: real sockets, one line at a time. */
import { randomBytes } from "node:crypto"
import { connect } from "node:net"
import { describe, expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../../src/faults/faults.ts"
import { ipAddress, type IpAddress } from "../../../../src/names/ip-address.ts"
import { REFUSED_BYTES_MAX } from "../../../../src/smtp/intake/incoming-message.ts"
import { STOP_MS_MAX } from "../../../../src/smtp/intake/mail-server.ts"
import { GRACE_MS } from "../../../../src/smtp/intake/pace.ts"
import { SESSION_MS_MAX } from "../../../../src/smtp/intake/session.ts"
import type { Route } from "../../../../src/route/route.ts"
import type { Draft, Spool } from "../../../../src/store/spool.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { keyPair } from "../../../support/key-pair.ts"
import { mailRoute, onlyMessage, SmtpClient, startMailHost } from "../../../support/smtp-dialogue.ts"
import { contentOf, temporarySpool } from "../../../support/spool.ts"

const MAIL = "MAIL FROM:<carol@sender.example>"
const RCPT = "RCPT TO:<dave@dave.example>"
const KEPT = expect.stringMatching(/^250 2\.0\.0 Kept as [a-z2-7]{16}$/)

describe("a message for a friend", () => {
  test("is kept with our Received line on top, and answered with its id", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL)).toBe("250 2.1.0 Sender taken")
    expect(await carol.says(RCPT)).toBe("250 2.1.5 Recipient taken")
    expect(await carol.says("DATA")).toBe("354 End data with <CR><LF>.<CR><LF>")
    const kept = await carol.says("Subject: hi\r\n\r\n..dot\r\n.")
    const [message] = await bob.spool.list()
    if (!message) throw new Error("nothing was kept")
    expect(kept).toBe(`250 2.0.0 Kept as ${message.id}`)
    expect(await onlyMessage(bob.spool)).toBe("Subject: hi\r\n\r\n.dot\r\n")
    expect(String(await contentOf(bob.spool, message.id))).toMatch(
      /^Received: from mx\.sender\.example \(\[127\.0\.0\.1\]\)\r\n\tby relay\.bob\.example with ESMTP id [a-z2-7]{16}\r\n\tfor <dave@dave\.example>;\r\n\t/,
    )
    expect(await carol.says("QUIT")).toBe("221 2.0.0 Bye")
    expect(await carol.reply()).toBe("closed")
  })

  test("is kept with all that its sender asked for", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(
      "MAIL FROM:<carol@jõgeva.ee> SMTPUTF8 BODY=8BITMIME RET=HDRS ENVID=a+2Bb SIZE=10",
      "RCPT TO:<a+b@dave.example> NOTIFY=DELAY,SUCCESS ORCPT=rfc822;A@dave.example",
      "RCPT TO:<dave@dave.test> NOTIFY=NEVER",
      "RCPT TO:<DAVE@dave.test>",
      "DATA",
      "\r\n.",
    )
    const [message] = await bob.spool.list()
    expect(message).toMatchObject({
      friend: "dave",
      from: "carol@xn--jgeva-dua.ee",
      smtputf8: true,
      body: "8bitmime",
      ret: "HDRS",
      envid: "a+b",
      requireTls: false,
      client: { address: "127.0.0.1", helo: "mx.sender.example", tls: undefined },
      recipients: [
        { address: "a+b@dave.example", notify: ["SUCCESS", "DELAY"], orcpt: "rfc822;A@dave.example" },
        { address: "DAVE@dave.test", notify: undefined, orcpt: undefined },
      ],
    })
  })

  test("may come from nobody, several in one session, with RSET between", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says("MAIL FROM:<>", RCPT, "DATA", "one\r\n.")).toEqual(KEPT)
    expect(await carol.says(MAIL, RCPT, "RSET")).toBe("250 2.0.0 Flushed")
    expect(await carol.says("DATA")).toBe("503 5.5.1 That command does not come now")
    expect(await carol.says(MAIL, RCPT, "DATA", "two\r\n.")).toEqual(KEPT)
    const messages = await bob.spool.list()
    expect(messages.map(({ from }) => from)).toEqual(["", "carol@sender.example"])
  })

  test("may have no content at all", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", ".")).toEqual(KEPT)
    expect(await onlyMessage(bob.spool)).toBe("")
  })

  test("may come with its commands pipelined (RFC 2920)", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    carol.sends(`${MAIL}\r\n${RCPT}\r\nRCPT TO:<x@evil.example>\r\nDATA\r\n`)
    expect(await carol.reply()).toMatch(/^250/)
    expect(await carol.reply()).toMatch(/^250/)
    expect(await carol.reply()).toMatch(/^550/)
    expect(await carol.reply()).toMatch(/^354/)
    carol.sends(`x\r\n.\r\nRSET\r\n${MAIL}\r\n`)
    expect(await carol.reply()).toEqual(KEPT)
    expect(await carol.reply()).toMatch(/^250/)
    expect(await carol.reply()).toMatch(/^250/)
  })

  test("comes out as it went in, however large and however it was cut", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    const lines = Array.from({ length: 4000 }, () => `.${randomBytes(70).toString("base64url")}`)
    await carol.says(MAIL, RCPT, "DATA")
    const sent = Buffer.from(`${lines.map((line) => `.${line}\r\n`).join("")}.\r\n`)
    for (let at = 0; at < sent.length; at += 10_007) carol.sends(sent.subarray(at, at + 10_007))
    expect(await carol.reply()).toEqual(KEPT)
    expect(await onlyMessage(bob.spool)).toBe(lines.map((line) => `${line}\r\n`).join(""))
  })

  test("from a client who has finished sending still gets its answers", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("x\r\n.\r\nNOOP\r\n")
    carol.finishes()
    expect(await carol.repliesUntilClosed()).toEqual([KEPT, "250 2.0.0 OK"])
  })

  test("is the true client's, whoever the connection comes from", async () => {
    await using bob = await startMailHost({ from: ipAddress("2001:db8::7") as IpAddress })
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("EHLO mx.sender.example")).toContain("greets [IPv6:2001:db8::7]\n")
    await carol.says(MAIL, RCPT, "DATA", "x\r\n.")
    const [message] = await bob.spool.list()
    expect(message?.client.address).toBe("2001:db8::7")
    expect(message && String(await contentOf(bob.spool, message.id))).toContain("([IPv6:2001:db8::7])\r\n")
  })

  test("from an old client is received with SMTP", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("HELO mx.sender.example")).toBe("250 relay.bob.example")
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    const [message] = await bob.spool.list()
    expect(message && String(await contentOf(bob.spool, message.id))).toContain("with SMTP id")
  })
})

describe("the greeting", () => {
  test("names the extensions, and only those that are there", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("EHLO mx.sender.example")).toBe(
      [
        "250-relay.bob.example greets [127.0.0.1]",
        "250-PIPELINING",
        "250-8BITMIME",
        "250-SMTPUTF8",
        "250-ENHANCEDSTATUSCODES",
        "250-DSN",
        "250-CHUNKING",
        "250-SIZE 1000000",
        "250 LIMITS RCPTMAX=1000 RCPTDOMAINMAX=1",
      ].join("\n"),
    )
  })

  test.each(["EHLO", "EHLO a b", `EHLO ${"x".repeat(256)}`])("%j is no greeting", async (line) => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says(line)).toBe("500 5.5.2 That is not a command line")
    expect(await carol.says(MAIL)).toMatch(/^503 5\.5\.1 /)
  })

  test.each([
    "AUTH PLAIN AAAA",
    "STARTTLS",
    "XCLIENT ADDR=192.0.2.1",
    "XFORWARD ADDR=192.0.2.1",
    "WIZ x",
    "HELP",
    "EXPN x",
  ])("%s is not a command here", async (line) => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(line)).toMatch(/^500 5\.5\.1 |^500 5\.5\.2 /)
  })
})

/** The battery that every relay is tried with (`swaks`), and what else was ever used to get through one. */
describe("a stranger who wants mail carried elsewhere", () => {
  test.each([
    ["v@other.test", "550 5.7.1"],
    ['"b@dave.example"@other.test', "550 5.7.1"],
    ["b%other.test@dave.example", "550 5.7.1"],
    ["other.test!b@dave.example", "550 5.7.1"],
    ["@dave.example:v@other.test", "550 5.7.1"],
    ["@hop.test:dave@dave.example", "550 5.7.1"],
    ["v@other.test@dave.example", "550 5.7.1"],
    ['"v@other.test"@dave.example', "550 5.7.1"],
    ["b@[127.0.0.1]", "550 5.7.1"],
    ["b@dave.example.evil", "550 5.7.1"],
    ["b@sub.dave.example", "550 5.7.1"],
    ["b@relay.bob.example", "550 5.7.1"],
    ["b@localhost", "550 5.7.1"],
    ["b", "553 5.1.3"],
    ["", "553 5.1.3"],
    ["postmaster", "550 5.1.1"],
    ["mallory@alice.example", "550 5.1.1"],
  ])("is refused %s with %s", async (address, reply) => {
    await using bob = await startMailHost()
    using stranger = await SmtpClient.greeted(bob.port)
    expect(await stranger.says(MAIL, `RCPT TO:<${address}>`)).toContain(reply)
    expect(await stranger.says("DATA")).toMatch(/^503 5\.5\.1 /)
    expect(await bob.spool.list()).toEqual([])
  })
})

describe("recipients", () => {
  test("of one transaction belong to one friend; the other's get a transaction of their own", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "RCPT TO:<alice@alice.example>")).toMatch(/^452 4\.5\.3 /)
    expect(await carol.says("RCPT TO:<dave@dave.test>")).toMatch(/^250 /)
  })

  test("are as many as the limit; one that is repeated counts once", async () => {
    await using bob = await startMailHost({ limits: { messageBytesMax: 1000, recipientsMax: 2 } })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "RCPT TO:<b@dave.example>", RCPT)).toMatch(/^250 /)
    expect(await carol.says("RCPT TO:<c@dave.example>")).toBe("452 4.5.3 Too many recipients for one message")
    expect(await carol.says("DATA")).toMatch(/^354 /)
  })

  test("of a friend without room are refused before the content is sent", async () => {
    const kept = await temporarySpool({ perFriendBytesMax: 2000 })
    await using bob = await startMailHost({ spool: kept.spool })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", `${"x".repeat(3000)}\r\n.`)).toMatch(/^452 4\.2\.2 /)
    expect(await carol.says(MAIL, RCPT)).toMatch(/^452 4\.2\.2 /)
    expect(await carol.says("RCPT TO:<alice@alice.example>")).toMatch(/^250 /)
    await kept[Symbol.asyncDispose]()
  })
})

describe("commands", () => {
  test.each([
    ["MAIL FROM:<a@b.example> FOO=bar", "555 5.5.4"],
    ["MAIL FROM:<a@b.example> REQUIRETLS", "555 5.5.4"],
    ["MAIL FROM:<a@b.example> SIZE=x", "501 5.5.4"],
    ["MAIL FROM:<jõgeva@b.example>", "553 5.6.7"],
    ["MAIL FROM:<a@b.example> SIZE=1000001", "552 5.3.4"],
    ["MAIL FROM:a@b.example", "553 5.1.7"],
    ["RCPT TO:<dave@dave.example>", "503 5.5.1"],
    ["DATA", "503 5.5.1"],
    ["VRFY dave@dave.example", "252 2.1.5"],
    ["NOOP", "250 2.0.0"],
    ["NONSENSE", "500 5.5.2"],
    ["", "500 5.5.2"],
  ])("%s is answered %s, with one enhanced code", async (line, reply) => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    const said = await carol.says(line)
    expect(said.slice(0, reply.length)).toBe(reply)
    expect(said.slice(reply.length)).not.toMatch(/\d\.\d\.\d/)
  })

  test("a second MAIL is refused and the first stands", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, "MAIL FROM:<other@sender.example>")).toMatch(/^503 /)
    expect(await carol.says(RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect((await bob.spool.list())[0]?.from).toBe("carol@sender.example")
  })

  test.each([
    ["a bare LF", "NOOP\nNOOP\r\n", "550 5.6.11"],
    ["NUL", "NO\0OP\r\n", "500 5.5.2"],
    ["no end", "x".repeat(3000), "500 5.5.2"],
  ])("with %s end the session", async (_name, bytes, reply) => {
    await using bob = await startMailHost()
    using stranger = await SmtpClient.greeted(bob.port)
    stranger.sends(bytes)
    const replies = await stranger.repliesUntilClosed()
    expect(replies).toHaveLength(1)
    expect(replies[0]).toContain(reply)
  })

  test.each([
    ["EHLO", "EHLO a.example\r\nNOOP\r\n"],
    ["HELO", "HELO a.example\r\nNOOP\r\n"],
    ["DATA", `${MAIL}\r\n${RCPT}\r\nDATA\r\nSubject: too early\r\n\r\n.\r\n`],
  ])("behind %s before its answer end the session", async (_name, bytes) => {
    await using bob = await startMailHost()
    using stranger = await SmtpClient.greeted(bob.port)
    stranger.sends(bytes)
    expect((await stranger.repliesUntilClosed()).at(-1)).toMatch(/^554 5\.5\.0 /)
    expect(await bob.spool.list()).toEqual([])
  })

  test("in great numbers at once are all answered", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    carol.sends("NOOP\r\n".repeat(1000))
    for (let answered = 0; answered < 1000; answered++) expect(await carol.reply()).toBe("250 2.0.0 OK")
  })

  test("that are wrong are answered slowly after a while, and then no more", async () => {
    const clock = handClock()
    await using bob = await startMailHost({ clock })
    using stranger = await SmtpClient.greeted(bob.port)
    await stranger.says(MAIL)
    for (let guess = 0; guess < 10; guess++) {
      expect(await stranger.says(`RCPT TO:<guess${guess}@alice.example>`)).toMatch(/^550 /)
    }
    for (let guess = 10; guess < 20; guess++) {
      expect(await stranger.says(`RCPT TO:<guess${guess}@alice.example>`)).toMatch(/^550 /)
      await clock.turn(1_000)
    }
    expect(await stranger.says("RCPT TO:<alice@alice.example>")).toMatch(/^421 4\.7\.0 /)
    expect(await stranger.reply()).toBe("closed")
  })
})

describe("content", () => {
  test.each([
    ["a bare LF", "a\nb\r\n", "550 5.6.11"],
    ["a bare CR", "a\rb\r\n", "550 5.6.11"],
    ["NUL", "a\0b\r\n", "550 5.6.0"],
    ["a line without end", `${"x".repeat(70_000)}\r\n`, "554 5.6.0"],
    ["fifty Received lines", `${"Received: by a\r\n".repeat(50)}\r\n`, "554 5.4.6"],
  ])("with %s is refused at its end, and the session goes on", async (_name, content, reply) => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(MAIL, RCPT, "DATA", `${content}.`)).toContain(reply)
    expect(await bob.spool.list()).toEqual([])
    expect(await carol.says(MAIL, RCPT, "DATA", `${"Received: by a\r\n".repeat(49)}\r\n.`)).toEqual(KEPT)
  })

  test("that is larger than announced is refused at its end", async () => {
    await using bob = await startMailHost({ limits: { messageBytesMax: 1000 } })
    using carol = await SmtpClient.greeted(bob.port)
    const line = `${"x".repeat(498)}\r\n`
    expect(await carol.says(MAIL, RCPT, "DATA", `${line}${line}.`)).toEqual(KEPT)
    expect(await carol.says(MAIL, RCPT, "DATA", `${line}${line}\r\n.`)).toMatch(/^552 5\.3\.4 /)
    expect(await bob.spool.list()).toHaveLength(1)
  })

  test("that goes on for ever is cut", async () => {
    await using bob = await startMailHost({ limits: { messageBytesMax: 1000 } })
    using stranger = await SmtpClient.greeted(bob.port)
    await stranger.says(MAIL, RCPT, "DATA")
    stranger.sends(Buffer.alloc(REFUSED_BYTES_MAX + 100_000, "xxxxxxxxx\r\n"))
    expect(await stranger.repliesUntilClosed()).toEqual(["552 5.3.4 The message is larger than we accept"])
  })

  test("of which the sender dies in the middle leaves nothing", async () => {
    await using bob = await startMailHost()
    const carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends(Buffer.alloc(500_000, "xxxxxxxxx\r\n"))
    await new Promise((resolve) => setTimeout(resolve, 50))
    carol.hangsUp()
    using dora = await SmtpClient.greeted(bob.port)
    expect(await dora.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(await bob.spool.list()).toHaveLength(1)
  })

  test("that comes too slowly ends the session", async () => {
    const clock = handClock()
    await using bob = await startMailHost({ clock })
    using stranger = await SmtpClient.greeted(bob.port)
    await stranger.says(MAIL, RCPT, "DATA")
    await clock.turn(GRACE_MS)
    expect(await stranger.repliesUntilClosed()).toEqual(["421 4.4.2 The session took too long"])
  })

  test("is answered 250 only when the spool has it, and 4xx when the spool has not", async () => {
    await using kept = await temporarySpool()
    let finish: (error?: Error) => void = () => {}
    const slow: Partial<Draft> = {
      commit: () => new Promise((resolve, reject) => (finish = (error) => (error ? reject(error) : resolve()))),
    }
    await using bob = await startMailHost({ spool: withDraft(kept.spool, slow) })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("x\r\n.\r\n")
    const reply = carol.reply()
    expect(await Promise.race([reply, new Promise((resolve) => setTimeout(() => resolve("nothing yet"), 100))])).toBe(
      "nothing yet",
    )
    finish()
    expect(await reply).toEqual(KEPT)
    await carol.says(MAIL, RCPT, "DATA")
    carol.sends("x\r\n.\r\n")
    await new Promise((resolve) => setTimeout(resolve, 100))
    finish(new FaultError(fault("SPOOL_FAILED", "EIO")))
    expect(await carol.reply()).toBe("451 4.3.0 The message could not be kept; try later")
  })
})

/** A spool whose drafts behave differently. */
function withDraft(spool: Spool, different: Partial<Draft>): Spool {
  const draft = (): Draft => {
    const real = spool.draft()
    const same = {
      id: real.id,
      write: real.write.bind(real),
      content: real.content.bind(real),
      commit: real.commit.bind(real),
      discard: real.discard.bind(real),
    }
    return { ...same, ...different }
  }
  return Object.assign(Object.create(spool) as Spool, { draft })
}

describe("BDAT", () => {
  test("brings content in chunks that are taken as they are", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    carol.sends("BDAT 10\r\n12345678\r\nBDAT 5\r\n.\r\n.\rBDAT 4 LAST\r\n\nx\r\nNOOP\r\n")
    expect(await carol.reply()).toBe("250 2.0.0 10 octets taken")
    expect(await carol.reply()).toBe("250 2.0.0 5 octets taken")
    expect(await carol.reply()).toEqual(KEPT)
    expect(await carol.reply()).toBe("250 2.0.0 OK")
    expect(await onlyMessage(bob.spool)).toBe("12345678\r\n.\r\n.\r\nx\r\n")
  })

  test("may end with an empty chunk, and a last line without end gets one", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    carol.sends("BDAT 3\r\nabcBDAT 0 LAST\r\n")
    expect(await carol.reply()).toMatch(/^250 /)
    expect(await carol.reply()).toEqual(KEPT)
    expect(await onlyMessage(bob.spool)).toBe("abc\r\n")
  })

  test("without a recipient swallows its octets, which are no commands", async () => {
    await using bob = await startMailHost()
    using stranger = await SmtpClient.greeted(bob.port)
    stranger.sends("BDAT 6\r\nQUIT\r\nNOOP\r\n")
    expect(await stranger.reply()).toMatch(/^503 5\.5\.1 /)
    expect(await stranger.reply()).toBe("250 2.0.0 OK")
  })

  test("and DATA do not mix, and RSET forgets", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    carol.sends("BDAT 3\r\nabc")
    await carol.reply()
    expect(await carol.says("DATA")).toMatch(/^503 /)
    expect(await carol.says(RCPT)).toMatch(/^503 /)
    expect(await carol.says("RSET")).toMatch(/^250 /)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect(await onlyMessage(bob.spool)).toBe("x\r\n")
  })

  test.each([
    ["a bare LF", "BDAT 3 LAST\r\na\nb", "550 5.6.11"],
    ["NUL", "BDAT 3 LAST\r\na\0b", "550 5.6.0"],
  ])("with %s is refused", async (_name, bytes, reply) => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT)
    carol.sends(bytes)
    expect(await carol.reply()).toContain(reply)
  })

  test.each(["BDAT", "BDAT x", "BDAT -1", "BDAT 5 FIRST", "BDAT 1000001"])("%s ends the session", async (line) => {
    await using bob = await startMailHost()
    using stranger = await SmtpClient.greeted(bob.port)
    stranger.sends(`${line}\r\nNOOP\r\n`)
    const replies = await stranger.repliesUntilClosed()
    expect(replies).toHaveLength(1)
    expect(replies[0]).toMatch(/^5/)
  })
})

describe("STARTTLS", () => {
  test("is there when there is a certificate; the Received line names the cipher", async () => {
    await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("EHLO mx.sender.example")).toContain("250-STARTTLS\n")
    await carol.startTls()
    expect(await carol.says(MAIL)).toMatch(/^503 /)
    expect(await carol.says("EHLO mx.sender.example")).not.toContain("STARTTLS")
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    const [message] = await bob.spool.list()
    expect(message?.client.tls).toBe("TLSv1.3 TLS_AES_256_GCM_SHA384")
    expect(message && String(await contentOf(bob.spool, message.id))).toMatch(
      /with ESMTPS id [a-z2-7]+\r\n\tfor <dave@dave\.example>\r\n\ttls TLS_AES_256_GCM_SHA384;/,
    )
    expect(await onlyMessage(bob.spool)).toBe("x\r\n")
  })

  test("REQUIRETLS is offered over it where some mail is held to TLS, and taken for that mail alone", async () => {
    const held = mailRoute("dave", { kind: "any" })
    const routes: Record<string, Route> = {
      "dave.example": { ...held, carry: { ...held.carry, tls: "verify" } as Route["carry"] },
      "alice.example": mailRoute("alice", { kind: "any" }),
    }
    await using bob = await startMailHost({
      tls: await keyPair("relay.bob.example"),
      holdsTls: () => true,
      routeFor: (_, domain) => routes[domain],
    })
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("EHLO mx.sender.example")).not.toContain("REQUIRETLS")
    expect(await carol.says(`${MAIL} REQUIRETLS`)).toMatch(/^555 5\.5\.4 /)
    await carol.startTls()
    expect(await carol.says("EHLO mx.sender.example")).toContain("250-REQUIRETLS\n")
    expect(await carol.says(`${MAIL} REQUIRETLS`)).toMatch(/^250 /)
    expect(await carol.says("RCPT TO:<alice@alice.example>")).toMatch(/^550 5\.7\.30 /)
    expect(await carol.says(RCPT, "DATA", "x\r\n.")).toMatch(/^250 /m)
    expect(await bob.spool.list()).toMatchObject([{ friend: "dave", requireTls: true }])
  })

  test("with commands behind it ends the session: they would speak for whoever comes after (CVE-2011-0411)", async () => {
    await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
    using stranger = await SmtpClient.greeted(bob.port)
    stranger.sends(`STARTTLS\r\n${MAIL}\r\n`)
    const replies = await stranger.repliesUntilClosed()
    expect(replies).toEqual(["554 5.5.0 Commands were sent before it was their turn"])
  })

  test("does not speak what is older than TLS 1.2", async () => {
    await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
    using carol = await SmtpClient.greeted(bob.port)
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "DEFAULT@SECLEVEL=0" } as const
    await expect(carol.startTls(old)).rejects.toMatchObject({ code: "ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION" })
    using dora = await SmtpClient.greeted(bob.port)
    await dora.startTls({ maxVersion: "TLSv1.2" })
    expect(await dora.says("EHLO mx.sender.example")).toMatch(/^250-/)
  })
})

describe("a session that was begun in our name", () => {
  test("goes on behind EHLO, which is not answered again", async () => {
    await using bob = await startMailHost({ after: "EHLO" })
    using carol = new SmtpClient(connect(bob.port, "127.0.0.1"))
    carol.sends(`EHLO mx.sender.example\r\n${MAIL}\r\n`)
    expect(await carol.reply()).toBe("250 2.1.0 Sender taken")
    expect(await carol.says("EHLO again.example")).toMatch(/^250-/)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect((await bob.spool.list())[0]?.client.helo).toBe("again.example")
  })

  test("goes on behind HELO as well", async () => {
    await using bob = await startMailHost({ after: "EHLO" })
    using carol = new SmtpClient(connect(bob.port, "127.0.0.1"))
    carol.sends("HELO mx.sender.example\r\n")
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect((await bob.spool.list())[0]?.client.helo).toBe("mx.sender.example")
  })

  test("goes on behind STARTTLS with the handshake, and greets nobody", async () => {
    await using bob = await startMailHost({ after: "STARTTLS", tls: await keyPair("relay.bob.example") })
    using carol = new SmtpClient(connect(bob.port, "127.0.0.1"))
    await carol.beginTls()
    expect(await carol.says(MAIL)).toMatch(/^503 /)
    expect(await carol.says("EHLO mx.sender.example")).toMatch(/^250-relay\.bob\.example/)
    expect(await carol.says(MAIL, RCPT, "DATA", "x\r\n.")).toEqual(KEPT)
    expect((await bob.spool.list())[0]?.client.tls).toMatch(/^TLSv1\.3 /)
  })
})

describe("the end", () => {
  test("of the server is 421 for whoever waits and for whoever comes", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    const stopped = bob.server.stop()
    expect(await carol.repliesUntilClosed()).toEqual(["421 4.3.2 The relay is being stopped; try again"])
    await stopped
    using dora = await SmtpClient.connect(bob.port)
    expect(await dora.reply()).toBe("closed")
  })

  test("of the server waits for the message that is coming in", async () => {
    await using bob = await startMailHost()
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    const stopped = bob.server.stop()
    carol.sends("x\r\n.\r\n")
    expect(await carol.repliesUntilClosed()).toEqual([KEPT, "421 4.3.2 The relay is being stopped; try again"])
    await stopped
    expect(await bob.spool.list()).toHaveLength(1)
  })

  test("of the server does not wait for ever", async () => {
    const clock = handClock()
    await using bob = await startMailHost({ clock })
    using carol = await SmtpClient.greeted(bob.port)
    await carol.says(MAIL, RCPT, "DATA")
    const stopped = bob.server.stop()
    await clock.turn(STOP_MS_MAX)
    await stopped
    expect(await carol.reply()).toBe("closed")
    expect(await bob.spool.list()).toEqual([])
  })

  test.each([
    ["hangs up", (client: SmtpClient) => client.hangsUp()],
    ["has finished sending", (client: SmtpClient) => client.finishes()],
    ["says QUIT", (client: SmtpClient) => client.sends("QUIT\r\n")],
  ])("of a session comes when the client %s, in clear and over TLS", async (_how, leaves) => {
    await using bob = await startMailHost({ tls: await keyPair("relay.bob.example") })
    using carol = await SmtpClient.greeted(bob.port)
    using dora = await SmtpClient.greeted(bob.port)
    await dora.startTls()
    expect(await dora.says("EHLO mx.sender.example")).toMatch(/^250/)
    expect(bob.server.sessions).toBe(2)
    for (const client of [carol, dora]) leaves(client)
    while (bob.server.sessions > 0) await new Promise((resolve) => setTimeout(resolve, 5))
  })

  test("of a session comes after an hour", async () => {
    const clock = handClock()
    await using bob = await startMailHost({ clock })
    using carol = await SmtpClient.greeted(bob.port)
    await clock.turn(SESSION_MS_MAX)
    expect(await carol.repliesUntilClosed()).toEqual(["421 4.4.2 The session took too long"])
  })
})
