import { once } from "node:events"
import { connect } from "node:net"
import { describe, expect, test } from "@jest/globals"
import { systemClock } from "../../../../src/clock/clock.ts"
import { openSession, Session, type Letter, type SessionOptions } from "../../../../src/smtp/delivery/session.ts"
import type { Envelope, KeptMessage, MessageId } from "../../../../src/store/spool.ts"
import { BOB, checked } from "../../../support/delivery.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { keyPair } from "../../../support/key-pair.ts"
import { nextHop, type NextHop, type NextHopScript } from "../../../support/next-hop.ts"
import { envelope } from "../../../support/spool.ts"
import { eventually } from "../../../support/eventually.ts"

const CONTENT = "Subject: noon\r\n\r\n.hidden\r\n..\r\nMeet me\r\n"
const ENOUGH_MS = 24 * 3_600_000

describe("a message", () => {
  test("arrives byte for byte, dots at line starts included", async () => {
    await using hop = await nextHop()
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "accepted" })
    expect(hop.messages[0]?.content.toString()).toBe(CONTENT)
    await session.quit()
    expect(hop.sessions[0]?.commands.at(-1)).toBe("QUIT")
  })

  test("follows another over the same connection", async () => {
    await using hop = await nextHop()
    const session = await opened(hop)
    for (let sent = 0; sent < 3; sent++) await session.deliver(letter())
    expect(hop.sessions).toHaveLength(1)
    expect(hop.messages).toHaveLength(3)
    expect(session.messages).toBe(3)
    session.close()
  })

  test("of no bytes at all arrives as an empty line", async () => {
    await using hop = await nextHop()
    const session = await opened(hop)
    expect(await fates(session, letter({}, []))).toEqual({ "dave@dave.example": "accepted" })
    expect(hop.messages[0]?.content.toString()).toBe("\r\n")
    session.close()
  })

  test.each(["plain", "TLS"])("has its memory back once that is out, and not before (%s)", async (how) => {
    const tls = how === "TLS" ? { tls: await keyPair("mx.dave.example") } : {}
    await using hop = await nextHop({ ...tls, midContent: { afterBytes: 1, fault: "pause" } })
    const session = await opened(hop)
    const whole = Array.from({ length: 120 }, (_, index) => Buffer.alloc(65_536, `piece ${index}\r\n`.padStart(64)))
    const expected = Buffer.concat(whole)
    let [given, spent] = [0, 0]
    const content = (async function* () {
      for (const piece of whole) {
        given += 1
        yield piece
      }
    })()
    const transaction = session.deliver({
      ...letter({}, whole),
      content,
      spent: (piece) => {
        spent += 1
        piece.set(Buffer.alloc(piece.length, "\r\n.\r\n")) // what is still to be sent would arrive like this
      },
    })
    await stops(() => given)
    expect(given).toBeLessThan(whole.length)
    expect(spent).toBeLessThan(given)
    hop.resume()
    await transaction
    expect(hop.messages[0]?.content.equals(expected)).toBe(true)
    expect(spent).toBeGreaterThan(whole.length / 2)
    session.close()
  })

  test("is read from the spool only as fast as the next hop takes it", async () => {
    await using hop = await nextHop({ midContent: { afterBytes: 1, fault: "pause" } })
    const clock = handClock()
    const session = await opened(hop, { clock })
    let given = 0
    const endless = (async function* () {
      for (; ; given++) yield Buffer.alloc(65_536, "a")
    })()
    const transaction = session.deliver({ ...letter(), content: endless })
    await stops(() => given)
    expect(given).toBeLessThan(400) // what the kernel's buffers hold, and no more
    await clock.turn(ENOUGH_MS)
    expect((await transaction).answers.get("dave@dave.example")).toMatchObject({ kind: "later" })
  })

  test("goes to a next hop that knows only HELO", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("EHLO") ? "502 5.5.2 What?" : undefined) })
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "accepted" })
    session.close()
  })

  test.each([
    ["without PIPELINING", { extensions: ["8BITMIME"] }],
    ["that sends its replies byte by byte", { drip: true }],
    ["that greets with several lines", { greeting: "220-mx.dave.example\r\n220-be nice\r\n220 ESMTP" }],
  ] satisfies [string, NextHopScript][])("goes to a next hop %s", async (_, script) => {
    await using hop = await nextHop(script)
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "accepted" })
    expect(hop.messages[0]?.content.toString()).toBe(CONTENT)
    session.close()
  })
})

describe("what the next hop says", () => {
  test.each(["MAIL", "RCPT", "DATA", "."])("4xx to %s means later, and the connection stays good", async (stage) => {
    await using hop = await nextHop({ on: (line) => (line.startsWith(stage) ? "450 4.2.0 Not now" : undefined) })
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "later HOME_SAYS_LATER" })
    hop.script = {}
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "accepted" })
    expect(hop.sessions).toHaveLength(1)
    session.close()
  })

  test.each(["MAIL", "RCPT", "DATA", "."])("5xx to %s means never", async (stage) => {
    await using hop = await nextHop({ on: (line) => (line.startsWith(stage) ? "550 5.7.1 No" : undefined) })
    const session = await opened(hop)
    const { answers } = await session.deliver(letter())
    expect(answers.get("dave@dave.example")).toMatchObject({
      kind: "refused",
      reply: { code: 550, status: "5.7.1", text: "No" },
    })
    session.close()
  })

  test.each(["PIPELINING", "HELP"])("each recipient has its own fate (a hop with %s)", async (extension) => {
    const script = (line: string): string | undefined =>
      line.includes("unknown@") ? "550 5.1.1 Who?" : line.includes("full@") ? "452 4.2.2 Full" : undefined
    await using hop = await nextHop({ extensions: [extension], on: script })
    const session = await opened(hop)
    expect(await fates(session, letter(to("dave@dave.example", "unknown@dave.example", "full@dave.example")))).toEqual({
      "dave@dave.example": "accepted",
      "unknown@dave.example": "refused HOME_REFUSES",
      "full@dave.example": "later HOME_SAYS_LATER",
    })
    expect(hop.messages).toHaveLength(1)
    session.close()
  })

  test("a recipient refused before the content fails stays refused, the others come again", async () => {
    const script = (line: string): string | undefined =>
      line.includes("unknown@") ? "550 5.1.1 Who?" : line === "." ? "451 4.3.0 Disk" : undefined
    await using hop = await nextHop({ on: script })
    const session = await opened(hop)
    expect(await fates(session, letter(to("dave@dave.example", "unknown@dave.example")))).toEqual({
      "dave@dave.example": "later HOME_SAYS_LATER",
      "unknown@dave.example": "refused HOME_REFUSES",
    })
    session.close()
  })

  test("421 ends the session and nothing is refused by it", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("RCPT") ? "421 4.3.2 Going down" : undefined) })
    const session = await opened(hop)
    expect(await fates(session, letter(to("a@dave.example", "b@dave.example")))).toEqual({
      "a@dave.example": "later HOME_SAYS_LATER",
      "b@dave.example": "later HOME_SAYS_LATER",
    })
    expect(session.usable).toBe(false)
  })

  test("a 5xx in the middle of content ends the connection, not the slot", async () => {
    await using hop = await nextHop({ midContent: { afterBytes: 100_000, fault: "552 5.3.4 Too large" } })
    const session = await opened(hop)
    const big = letter(
      {},
      Array.from({ length: 200 }, () => Buffer.alloc(65_536, "a")),
    )
    expect(await fates(session, big)).toEqual({ "dave@dave.example": "refused HOME_REFUSES" })
    expect(session.usable).toBe(false)
    await eventually("the connection is gone", () => hop.open() === 0)
    expect(hop.messages).toHaveLength(0)
  })
})

describe("a lying next hop", () => {
  test("that says 250 before it had the whole message has not got it", async () => {
    await using hop = await nextHop({ midContent: { afterBytes: 1, fault: "250 2.0.0 Thanks already" } })
    const session = await opened(hop)
    const big = letter(
      {},
      Array.from({ length: 500 }, () => Buffer.alloc(65_536, "a")),
    )
    expect(await fates(session, big)).toEqual({ "dave@dave.example": "later HOME_AWAY" })
    expect(session.usable).toBe(false)
  })

  test("that answers twice to one command is not believed", async () => {
    const twice = (line: string): string | undefined =>
      line.startsWith("RCPT") ? "250 2.1.5 Ok\r\n250 2.1.5 Ok" : undefined
    await using hop = await nextHop({ on: twice })
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "later HOME_AWAY" })
    expect(session.usable).toBe(false)
  })

  test("that sends what is no reply is given up", async () => {
    await using hop = await nextHop({ on: (line) => (line.startsWith("MAIL") ? "hello?" : undefined) })
    const session = await opened(hop)
    expect(Object.values(await fates(session, letter()))[0]).toMatch(/^later/)
    expect(session.usable).toBe(false)
  })
})

describe("a next hop that goes away", () => {
  const STAGES = ["MAIL", "RCPT", "DATA", "."]

  test.each(STAGES.flatMap((stage) => ["drop", "reset"].map((how) => [how, stage])))("%s at %s", async (how, stage) => {
    await using hop = await nextHop({ on: (line) => (line.startsWith(stage ?? "") ? how : undefined) })
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "later HOME_AWAY" })
    expect(session.usable).toBe(false)
  })

  test.each(STAGES)("stalls at %s: the clock frees the slot", async (stage) => {
    const clock = handClock()
    await using hop = await nextHop({ on: (line) => (line.startsWith(stage) ? "stall" : undefined) })
    const session = await opened(hop, { clock })
    const transaction = session.deliver(letter())
    await eventually(
      "it stalls",
      () => hop.sessions[0]?.commands.some((line) => line.startsWith(stage)) || stage === ".",
    )
    await new Promise((resolve) => setTimeout(resolve, 50))
    await clock.turn(ENOUGH_MS)
    expect((await transaction).answers.get("dave@dave.example")).toMatchObject({ kind: "later", code: "HOME_AWAY" })
    await eventually("the connection is gone", () => hop.open() === 0)
  })

  test("between two messages: the next one is told that nobody spoke", async () => {
    await using hop = await nextHop({
      on: (line, { transactions }) => (transactions > 0 && line.startsWith("MAIL") ? "drop" : undefined),
    })
    const session = await opened(hop)
    expect((await session.deliver(letter())).spoke).toBe(true)
    expect((await session.deliver(letter())).spoke).toBe(false)
  })
})

describe("greeting and EHLO", () => {
  test.each([
    ["4xx", { greeting: "421 4.3.2 Full" }, "HOME_SAYS_LATER"],
    ["5xx", { greeting: "554 No" }, "HOME_SAYS_LATER"],
    ["nothing but an end", { greeting: "drop" }, "HOME_AWAY"],
    ["another protocol", { greeting: "SSH-2.0-OpenSSH_9.2" }, "HOME_SAYS_LATER"],
    ["no HELO either", { on: (line: string) => (/^(EHLO|HELO)/.test(line) ? "502 No" : undefined) }, "HOME_SAYS_LATER"],
  ] satisfies [string, NextHopScript, string][])("%s: no session", async (_, script, code) => {
    await using hop = await nextHop(script)
    expect(await open(hop)).toMatchObject({ code, tls: false })
    await eventually("the connection is gone", () => hop.open() === 0)
  })

  test.each([
    ["greeting", { greeting: "stall" }],
    ["EHLO", { on: (line: string) => (line.startsWith("EHLO") ? "stall" : undefined) }],
  ] satisfies [string, NextHopScript][])("silence instead of the %s: the clock ends it", async (_, script) => {
    const clock = handClock()
    await using hop = await nextHop(script)
    const session = open(hop, { clock })
    await eventually("it is connected", () => hop.sessions.length > 0)
    await clock.turn(ENOUGH_MS)
    expect(await session).toMatchObject({ code: "HOME_AWAY" })
    await eventually("the connection is gone", () => hop.open() === 0)
  })

  test("a next hop with our own name is ourselves", async () => {
    await using hop = await nextHop({ name: "Relay.Bob.Example" })
    expect(await open(hop)).toMatchObject({ code: "NEXT_HOP_IS_US" })
    expect(hop.sessions[0]?.commands).toEqual([])
  })

  test("a host name that looks like a keyword offers nothing", async () => {
    await using hop = await nextHop({ name: "mx SMTPUTF8 DSN", extensions: ["PIPELINING"] })
    const session = await opened(hop)
    expect(session.facts.dsn).toBe(false)
    session.close()
  })
})

describe("TLS", () => {
  test("is used when it is offered, and named", async () => {
    const tls = await keyPair("mx.dave.example")
    await using hop = await nextHop({ tls })
    const session = await opened(hop)
    await session.deliver(letter())
    expect(hop.messages[0]?.secure).toBe(true)
    expect(session.facts.tls).toMatch(/^TLSv1\.3 TLS_AES/)
    session.close()
  })

  test("refused in words: an opportunistic session goes on in plain text", async () => {
    await using hop = await nextHop({
      tls: await keyPair("mx.dave.example"),
      on: (line) => (line === "STARTTLS" ? "454 4.7.0 Not now" : undefined),
    })
    const session = await opened(hop)
    expect(await fates(session, letter())).toEqual({ "dave@dave.example": "accepted" })
    expect(session.facts).toMatchObject({ tls: undefined, dsn: true })
    session.close()
  })

  test("required but not offered: no session, and TLS is to blame", async () => {
    await using hop = await nextHop()
    expect(await open(hop, { tls: "required" })).toMatchObject({ code: "HOME_TLS_FAILED", tls: true })
    expect(hop.sessions[0]?.commands).not.toContainEqual(expect.stringMatching(/^MAIL/))
  })

  test("a handshake that fails is told as such", async () => {
    await using hop = await nextHop({ tls: "broken" })
    expect(await open(hop)).toMatchObject({ code: "HOME_TLS_FAILED", tls: true })
    await eventually("the connection is gone", () => hop.open() === 0)
  })

  test.each(["drop", "stall"])("a STARTTLS that is answered by %s ends by the clock", async (how) => {
    const clock = handClock()
    await using hop = await nextHop({
      extensions: ["STARTTLS"],
      on: (line) => (line === "STARTTLS" ? how : undefined),
    })
    const session = open(hop, { clock, tls: "required" })
    await eventually("STARTTLS was said", () => hop.sessions[0]?.commands.includes("STARTTLS") ?? false)
    await clock.turn(ENOUGH_MS)
    expect(await session).toMatchObject({ code: expect.stringMatching(/HOME_TLS_FAILED|HOME_AWAY/) })
    await eventually("the connection is gone", () => hop.open() === 0)
  })

  test("checked: a stranger's certificate is not accepted, the right one is", async () => {
    const tls = await keyPair("mx.dave.example")
    await using hop = await nextHop({ tls })
    const strict = { tls: "required", peerName: checked("mx.dave.example") } as const
    expect(await open(hop, { ...strict, tlsOptions: {} })).toMatchObject({ code: "HOME_TLS_FAILED", tls: true })
    const session = await open(hop, { ...strict, tlsOptions: { ca: tls.cert } })
    expect(session).toBeInstanceOf(Session)
    const other = { ...strict, peerName: checked("mx.eve.example"), tlsOptions: { ca: tls.cert } }
    expect(await open(hop, other)).toMatchObject({ code: "HOME_TLS_FAILED" })
    if (session instanceof Session) session.close()
  })
})

describe("extensions", () => {
  test("each recipient is given its own notice parameters", async () => {
    await using hop = await nextHop()
    const session = await opened(hop)
    const recipients = [
      { address: "a@dave.example", notify: ["NEVER"], orcpt: undefined },
      { address: "b@dave.example", notify: ["FAILURE", "DELAY"], orcpt: "rfc822;b+list@dave.example" },
      { address: "c@dave.example", notify: undefined, orcpt: undefined },
    ] satisfies Envelope["recipients"]
    await session.deliver(letter({ recipients, ret: "HDRS", envid: "id=1 +" }))
    expect(hop.messages[0]?.rcptParameters).toEqual([
      "NOTIFY=NEVER",
      "NOTIFY=FAILURE,DELAY ORCPT=rfc822;b+2Blist@dave.example",
      "",
    ])
    expect(hop.messages[0]?.mailParameters).toBe(`BODY=8BITMIME SIZE=${CONTENT.length} RET=HDRS ENVID=id+3D1+20+2B`)
    session.close()
  })

  test("nothing is asked of a next hop that offers nothing", async () => {
    await using hop = await nextHop({ extensions: [] })
    const session = await opened(hop)
    await session.deliver(letter({ ret: "FULL", envid: "x", smtputf8: true }))
    expect(hop.messages[0]?.mailParameters).toBe("")
    session.close()
  })

  test("8-bit content goes as it is, and without the keyword, where 8BITMIME is missing", async () => {
    await using hop = await nextHop({ extensions: ["SMTPUTF8"] })
    const session = await opened(hop)
    const content = Buffer.from("Subject: x\r\n\r\nGr\u00fc\u00dfe\r\n")
    await session.deliver(letter({ body: "8bitmime" }, [content]))
    expect(hop.messages[0]?.mailParameters).toBe("")
    expect(hop.messages[0]?.content.equals(content)).toBe(true)
    session.close()
  })

  test("the SMTPUTF8 keyword goes on with the message, also for ASCII addresses", async () => {
    await using hop = await nextHop()
    const session = await opened(hop)
    await session.deliver(letter({ smtputf8: true }))
    await session.deliver(letter({ smtputf8: true, from: "jörg@sender.example" }))
    expect(
      hop.messages.map(({ mailParameters }) => mailParameters.split(" ").filter((one) => one === "SMTPUTF8")),
    ).toEqual([["SMTPUTF8"], ["SMTPUTF8"]])
    session.close()
  })

  test.each([
    ["a UTF-8 sender", { smtputf8: true, from: "jörg@sender.example" }, true],
    ["a UTF-8 recipient", { smtputf8: true, ...to("döve@dave.example") }, true],
    ["a UTF-8 header", { smtputf8: true }, false],
  ] satisfies [string, Partial<Envelope>, boolean][])(
    "%s is refused 5.6.7 where SMTPUTF8 is missing",
    async (_, about, ascii) => {
      await using hop = await nextHop({ extensions: ["8BITMIME"] })
      const session = await opened(hop)
      const asked = { ...letter(about), headerIsAscii: () => Promise.resolve(ascii) }
      expect(Object.values(await fates(session, asked))).toEqual(["refused HOME_LACKS_SMTPUTF8"])
      expect(session.usable).toBe(true)
      session.close()
    },
  )

  test("what is larger than the next hop takes is not begun", async () => {
    await using hop = await nextHop({ extensions: ["SIZE 10"] })
    const session = await opened(hop)
    expect(Object.values(await fates(session, letter()))).toEqual(["refused HOME_TAKES_LESS"])
    expect(hop.sessions[0]?.commands).toHaveLength(1)
    session.close()
  })

  test("REQUIRETLS is passed on over TLS with whom we know, or not sent at all", async () => {
    const tls = await keyPair("mx.dave.example")
    await using hop = await nextHop({ tls, extensions: ["REQUIRETLS"] })
    const anybody = await opened(hop)
    expect(Object.values(await fates(anybody, letter({ requireTls: true })))).toEqual(["refused HOME_LACKS_REQUIRETLS"])
    anybody.close()
    const session = await opened(hop, { proof: "dane" })
    await session.deliver(letter({ requireTls: true }))
    expect(hop.messages[0]?.mailParameters).toBe("REQUIRETLS")
    session.close()
    hop.script = { extensions: ["REQUIRETLS"] }
    const plain = await opened(hop)
    expect(Object.values(await fates(plain, letter({ requireTls: true })))).toEqual(["refused HOME_LACKS_REQUIRETLS"])
    plain.close()
  })

  test.each(["a<b@dave.example", "a\r\nRSET@dave.example", "a\0b@dave.example"])(
    "an address that would break the dialogue is never sent: %j",
    async (address) => {
      await using hop = await nextHop()
      const session = await opened(hop)
      expect(Object.values(await fates(session, letter(to(address))))).toEqual(["refused ADDRESS_MALFORMED"])
      expect(hop.sessions[0]?.commands).toHaveLength(1)
      session.close()
    },
  )
})

async function open(hop: NextHop, different: Partial<SessionOptions> = {}): ReturnType<typeof openSession> {
  const socket = connect(hop.port, "127.0.0.1")
  await once(socket, "connect")
  const usual = {
    name: BOB,
    host: "dave",
    peerName: undefined,
    tls: "if-offered",
    tlsOptions: { rejectUnauthorized: false },
  } as const
  const { signal } = new AbortController()
  return openSession(socket, { ...usual, signal, clock: systemClock, ...different })
}

async function opened(hop: NextHop, different: Partial<SessionOptions> = {}): Promise<Session> {
  const session = await open(hop, different)
  if (!(session instanceof Session)) throw new Error(session.detail)
  return session
}

function letter(about: Partial<Envelope> = {}, pieces: readonly Uint8Array[] = [Buffer.from(CONTENT)]): Letter {
  const kept = envelope(about)
  const recipients = kept.recipients.map((recipient) => ({
    ...recipient,
    attempt: { at: "waiting", until: 0, tries: 0, lastReply: undefined } as const,
  }))
  const sizeBytes = pieces.reduce((sum, piece) => sum + piece.length, 0)
  const message: KeptMessage = { ...kept, recipients, sizeBytes, id: "test" as MessageId }
  const content = (async function* () {
    yield* pieces
  })()
  return { message, recipients, content, headerIsAscii: () => Promise.resolve(true) }
}

/** Resolves when no more is given, because the socket is full. */
function stops(given: () => number): Promise<true> {
  return eventually("the socket is full", async () => {
    const before = given()
    await new Promise((resolve) => setTimeout(resolve, 200))
    return before > 0 && given() === before
  })
}

function to(...addresses: string[]): Pick<Envelope, "recipients"> {
  return { recipients: addresses.map((address) => ({ address, notify: undefined, orcpt: undefined })) }
}

async function fates(session: Session, sent: Letter): Promise<Record<string, string>> {
  const { answers } = await session.deliver(sent)
  return Object.fromEntries(
    Array.from(answers, ([address, answer]) => [
      address,
      answer.kind === "accepted" ? "accepted" : `${answer.kind} ${answer.code}`,
    ]),
  )
}
