import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import { Player } from "../../../../src/prelude/player.ts"
import { SmtpServerPart, type SmtpServerSettings } from "../../../../src/prelude/smtp/server-part.ts"
import { lines, replay } from "../../../support/dialogue.ts"

const name = hostname("relay.bob.example") as Hostname // known to be one

test("a sender comes to TLS", () => {
  dialogue(`
    S: 220 relay.bob.example ESMTP
    C: EHLO mail.carol.example
    S: 250-relay.bob.example
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`)
})

test("what every friend's server offers is offered besides STARTTLS, to EHLO only", () => {
  dialogue(
    `S: 220 relay.bob.example ESMTP
    C: EHLO mail.carol.example
    S: 250-relay.bob.example
    S: 250-8BITMIME
    S: 250-SIZE 52428800
    S: 250 STARTTLS
    C: HELO mail.carol.example
    S: 250 relay.bob.example`,
    { offers: ["8BITMIME", "SIZE 52428800"] },
  )
})

test.each(["starttls", "StartTLS", "STARTTLS "])("%p is STARTTLS", (command) => {
  dialogue(`
    S: 220 relay.bob.example ESMTP
    C: ehlo [192.0.2.1]
    S: 250-relay.bob.example
    S: 250 STARTTLS
    C: ${command}
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`)
})

test("the small talk of RFC 5321 is answered, in any order", () => {
  dialogue(`
    S: 220 relay.bob.example ESMTP
    C: NOOP are you there
    S: 250 2.0.0 Done
    C: HELP
    S: 214 2.0.0 EHLO, then STARTTLS; all else behind TLS
    C: VRFY alice
    S: 252 2.5.0 Send a mail and see
    C: VRFY
    S: 501 5.5.4 Whom?
    C: RSET
    S: 250 2.0.0 Nothing to forget
    C: EHLO carol.example
    S: 250-relay.bob.example
    S: 250 STARTTLS
    C: EHLO mail.carol.example
    S: 250-relay.bob.example
    S: 250 STARTTLS
    C: QUIT
    S: 221 2.0.0 Goodbye
    (close)`)
})

test("nothing that belongs behind TLS is taken before it", () => {
  dialogue(`
    S: 220 relay.bob.example ESMTP
    C: EHLO carol.example
    S: 250-relay.bob.example
    S: 250 STARTTLS
    C: MAIL FROM:<carol@carol.example>
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: RCPT TO:<alice@alice.example>
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: DATA
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: AUTH PLAIN AGFsaWNlAHNlY3JldA==
    S: 530 5.7.0 Must issue a STARTTLS command first
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`)
})

test("what is wrong is said, and the sender may go on", () => {
  dialogue(`
    S: 220 relay.bob.example ESMTP
    C: STARTTLS
    S: 503 5.5.1 EHLO first
    C: EHLO
    S: 501 5.5.4 A name or an address in brackets, please
    C: EHLO two words
    S: 501 5.5.4 A name or an address in brackets, please
    C: HELO carol.example
    S: 250 relay.bob.example
    C: STARTTLS now
    S: 501 5.5.4 No argument, please
    C: RSET x
    S: 501 5.5.4 No argument, please
    C: QUIT x
    S: 501 5.5.4 No argument, please
    C: XCLIENT ADDR=192.0.2.66
    S: 500 5.5.2 Unknown command
    C: XFORWARD ADDR=192.0.2.66
    S: 500 5.5.2 Unknown command
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`)
})

test("a sender without TLS is handed over, with what it said and everything behind it", () => {
  const machine = new Player(new SmtpServerPart({ name, offers: [], withoutTls: "hand-over" }))
  machine.begin()
  machine.received(Buffer.from("MAIL FROM:<carol@carol.example>\r\n"))
  machine.received(Buffer.from("HELO carol.example\r\n"))
  const wishes = machine.received(Buffer.from("MAIL FROM:<carol@carol.example>\r\nRCPT TO:<al"))
  expect(wishes).toEqual([
    { do: "hand-over", replay: Buffer.from("HELO carol.example\r\nMAIL FROM:<carol@carol.example>\r\nRCPT TO:<al") },
  ])
})

describe("is closed with a reply:", () => {
  test.each([
    ["a command pipelined behind STARTTLS (CVE-2011-0411)", "EHLO x\r\nSTARTTLS\r\nRSET\r\n", "PIPELINED_UNASKED", 554],
    ["half a command behind STARTTLS", "EHLO x\r\nSTARTTLS\r\nE", "PIPELINED_UNASKED", 554],
    ["a ClientHello behind STARTTLS that did not wait", "EHLO x\r\nSTARTTLS\r\n\x16\x03\x01", "PIPELINED_UNASKED", 554],
    ["a line ended by LF", "EHLO x\n", "BARE_LINE_END", 550],
    ["a line with a CR inside", "EHLO x\rSTARTTLS\r\n", "BARE_LINE_END", 550],
    ["a line of 513 bytes", `NOOP ${"x".repeat(506)}\r\n`, "COMMAND_MALFORMED", 500],
    ["a line that does not end", "x".repeat(511), "COMMAND_MALFORMED", 500],
    ["a NUL", "EHLO x\0y\r\n", "COMMAND_MALFORMED", 500],
    ["8-bit text", "EHLO b\xfccher.example\r\n", "COMMAND_MALFORMED", 500],
    ["TLS at once", "\x16\x03\x01\x02\x00\x01", "COMMAND_MALFORMED", 500],
    ["HTTP", "GET / HTTP/1.1\r\nHost: relay.bob.example\r\n\r\n", "OTHER_PROTOCOL", 554],
    ["a browser made to speak SMTP", "POST / HTTP/1.1\r\nEHLO x\r\nMAIL FROM:<x@x>\r\n", "OTHER_PROTOCOL", 554],
    ["a PROXY header", "PROXY TCP4 192.0.2.66 198.51.100.1 1 25\r\nEHLO x\r\n", "OTHER_PROTOCOL", 554],
    ["a binary PROXY header", "\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", "COMMAND_MALFORMED", 500],
    ["SSH", "SSH-2.0-OpenSSH_9.2\r\n", "OTHER_PROTOCOL", 554],
    ["the twenty-first command", "NOOP\r\n".repeat(21), "PRELUDE_TOO_LONG", 421],
  ])("%s", (_what, text, code, replyCode) => {
    const machine = server()
    machine.begin()
    const [close, lastWords] = machine.received(Buffer.from(text, "latin1")).toReversed()
    expect(close).toMatchObject({ do: "close", why: { code } })
    expect(lastWords).toMatchObject({ do: "say", text: expect.stringMatching(new RegExp(`^${replyCode} .*\r\n$`)) })
    expect(machine.received(Buffer.from("EHLO x\r\n"))).toEqual([])
  })

  test("a sender that talks before it is greeted", () => {
    const machine = server()
    expect(machine.received(Buffer.from("EHLO x\r\n"))).toMatchObject([
      { do: "say", text: "554 5.5.0 Commands were sent before it was their turn\r\n" },
      { do: "close", why: { code: "PIPELINED_UNASKED" } },
    ])
  })

  test("a sender that takes too long, and a relay that stops", () => {
    const machine = server()
    machine.begin()
    machine.received(Buffer.from("EHL"))
    expect(machine.end("SLOW_SENDER", "10 s")).toMatchObject([
      { do: "say", text: "421 4.4.2 The session took too long\r\n" },
      { do: "close", why: { code: "SLOW_SENDER", detail: "10 s" } },
    ])
    expect(machine.end("STOPPING", "")).toEqual([])
  })
})

test("a line of 512 bytes is not too long", () => {
  const machine = server()
  machine.begin()
  expect(machine.received(Buffer.from(`NOOP ${"x".repeat(505)}\r\n`))).toMatchObject([
    { do: "say", text: "250 2.0.0 Done\r\n" },
  ])
})

test("however a dialogue is cut into segments, it goes the same way", () => {
  const said = Buffer.from("EHLO carol.example\r\nNOOP\r\nMAIL FROM:<>\r\nQUIT\r\n")
  const goes = (edges: readonly number[]) => {
    const machine = server()
    const heard = [machine.begin()]
    for (const [index, edge] of edges.entries())
      heard.push(machine.received(said.subarray(edges[index - 1] ?? 0, edge)))
    return heard.flat()
  }
  const cuts = fc.array(fc.nat({ max: said.length }), { maxLength: 8 })
  fc.assert(
    fc.property(cuts, (offsets) => {
      expect(goes([...offsets.toSorted((a, b) => a - b), said.length])).toEqual(goes([said.length]))
    }),
  )
})

test("nothing that a stranger can send makes it throw, or begin TLS with bytes left over", () => {
  const words = fc.constantFrom(
    "EHLO x",
    "STARTTLS",
    "MAIL FROM:<>",
    "\r\n",
    "\r",
    "\n",
    " ",
    "\0",
    "QUIT",
    "é",
    "GET / HTTP/1.1",
  )
  const segments = fc.array(
    fc.oneof(
      fc.array(words, { maxLength: 6 }).map((each) => each.join("")),
      fc.string(),
    ),
    { maxLength: 6 },
  )
  fc.assert(
    fc.property(segments, (texts) => {
      const machine = server()
      machine.begin()
      for (const text of texts) {
        const wishes = machine.received(Buffer.from(text, "latin1"))
        if (wishes.some((wish) => wish.do === "begin-tls")) expect(text.endsWith("\n")).toBe(true)
        expect(wishes.slice(0, -1).every((wish) => wish.do === "say")).toBe(true)
      }
    }),
    { numRuns: 2000 },
  )
})

function server(more: Partial<SmtpServerSettings> = {}) {
  return new Player(new SmtpServerPart({ name, offers: [], withoutTls: "refuse", ...more }))
}

function dialogue(script: string, more: Partial<SmtpServerSettings> = {}) {
  expect(replay(server(more), "server", script)).toEqual(lines(script))
}
