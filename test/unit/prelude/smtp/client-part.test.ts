import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { socketAddress } from "../../../../src/names/endpoint.ts"
import { Player } from "../../../../src/prelude/player.ts"
import { SmtpClientPart, type SmtpClientSettings } from "../../../../src/prelude/smtp/client-part.ts"
import { lines, replay } from "../../../support/dialogue.ts"

const remote = socketAddress("192.0.2.1:56324")
const local = socketAddress("198.51.100.1:25")
if (!remote || !local) throw new Error("the test's own data is wrong")
const xclient = { remote, local }

test("a friend's server is brought to TLS in the sender's name", () => {
  dialogue(`
    S: 220 mx.alice.example ESMTP Postfix
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250-PIPELINING
    S: 250-starttls
    S: 250 SMTPUTF8
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`)
})

test("greetings of several lines, and replies without text, are replies", () => {
  dialogue(`
    S: 220-mx.alice.example
    S: 220-Authorised users only
    S: 220
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250 STARTTLS
    C: STARTTLS
    S: 220
    (begin TLS)`)
})

test("a server that takes XCLIENT is told who the sender is", () => {
  dialogue(
    `S: 220 mx.alice.example ESMTP Postfix
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250-XCLIENT NAME ADDR PROTO HELO REVERSE_NAME PORT LOGIN DESTADDR DESTPORT
    S: 250 STARTTLS
    C: XCLIENT ADDR=192.0.2.1 NAME=[UNAVAILABLE] PORT=56324 PROTO=ESMTP DESTADDR=198.51.100.1 DESTPORT=25 HELO=mail.carol.example
    S: 220 mx.alice.example ESMTP Postfix
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250 STARTTLS
    C: STARTTLS
    S: 220 2.0.0 Ready to start TLS
    (begin TLS)`,
    { xclient },
  )
})

test("XCLIENT is asked for in two round trips more, and those are all that a shared port adds", () => {
  const asks = (script: readonly string[], more: Partial<SmtpClientSettings>) =>
    replay(client(more), "client", script.join("\n")).filter((line) => line.startsWith("C: ")).length
  const hello = ["S: 250-mx", "S: 250-XCLIENT ADDR", "S: 250 STARTTLS"]
  const plain = asks(["S: 220 mx", ...hello, "S: 220 go"], {})
  expect(asks(["S: 220 mx", ...hello, "S: 220 mx", ...hello, "S: 220 go"], { xclient }) - plain).toBe(2)
})

test("a server that does not take XCLIENT is left, or the mail would seem to come from the relay", () => {
  dialogue(
    `S: 220 mx.alice.example ESMTP
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250 STARTTLS
    C: QUIT
    (close HOME_WITHOUT_XCLIENT)`,
    { xclient },
  )
  dialogue(
    `S: 220 mx.alice.example ESMTP
    C: EHLO mail.carol.example
    S: 250-mx.alice.example
    S: 250 XCLIENT ADDR
    C: XCLIENT ADDR=192.0.2.1
    S: 550 5.7.0 Error: insufficient authorization
    C: QUIT
    (close HOME_WITHOUT_XCLIENT)`,
    { xclient },
  )
})

describe("is left:", () => {
  test.each([
    ["a server that is closing", ["421 4.3.2 Not now"], "HOME_SAYS_LATER"],
    ["a server that wants nobody", ["554 5.7.1 Go away"], "HOME_REFUSES"],
    ["a server that wants nobody, at length", ["554-5.7.1 Go", "554 5.7.1 away"], "HOME_REFUSES"],
    ["a server that does not greet", ["250 Hello"], "HOME_MALFORMED"],
    ["a server that is none", ["SSH-2.0-OpenSSH_9.2"], "HOME_MALFORMED"],
    ["a server that asks for more", ["354 Go ahead"], "HOME_MALFORMED"],
    ["a reply of two codes", ["220-mx.alice.example", "250 mx.alice.example"], "HOME_MALFORMED"],
    ["an EHLO that is refused", ["220 mx", "502 5.5.1 Not implemented"], "HOME_REFUSES"],
    ["an EHLO that is put off", ["220 mx", "450 4.3.2 Later"], "HOME_SAYS_LATER"],
    ["a server without STARTTLS", ["220 mx", "250-mx", "250 PIPELINING"], "HOME_WITHOUT_TLS"],
    ["a server named STARTTLS", ["220 mx", "250 STARTTLS"], "HOME_WITHOUT_TLS"],
    ["a STARTTLS that is put off", ["220 mx", "250-mx", "250 STARTTLS", "454 4.7.0 No TLS now"], "HOME_WITHOUT_TLS"],
    ["a STARTTLS that is refused", ["220 mx", "250-mx", "250 STARTTLS", "502 5.5.1 No"], "HOME_WITHOUT_TLS"],
    ["an endless reply", Array.from({ length: 101 }, () => "220-more"), "HOME_MALFORMED"],
  ])("%s", (_what, said, code) => {
    const machine = client()
    machine.begin()
    const wishes = said.flatMap((line) => machine.received(Buffer.from(`${line}\r\n`)))
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })

  test.each([
    ["behind its greeting", "220 mx\r\n250 x\r\n"],
    ["behind its EHLO reply", "220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n250 x\r\n"],
    [
      "behind its 220 to STARTTLS (CVE-2021-38371 and its like)",
      "220 mx\r\n",
      "250-mx\r\n250 STARTTLS\r\n",
      "220 go\r\n250 x\r\n",
    ],
    ["half a line behind its 220 to STARTTLS", "220 mx\r\n", "250-mx\r\n250 STARTTLS\r\n", "220 go\r\n2"],
    ["before a command was said", "220 mx\n"],
    ["in a line of 513 bytes", `220 ${"x".repeat(507)}\r\n`],
  ])("a server that says too much: %s", (_where, ...segments) => {
    const machine = client()
    machine.begin()
    const wishes = segments.flatMap((segment) => machine.received(Buffer.from(segment)))
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code: "HOME_MALFORMED" } })
  })
})

test("what a server offers can be learnt from it", () => {
  const part = new SmtpClientPart({ senderName: "relay.bob.example", xclient: undefined })
  replay(new Player(part), "client", "S: 220 mx\nS: 250-mx\nS: 250-SIZE 52428800\nS: 250-8BITMIME\nS: 250 STARTTLS")
  expect(part.offers).toEqual(["SIZE 52428800", "8BITMIME", "STARTTLS"])
})

test("nothing that a server can send makes it throw", () => {
  const words = fc.constantFrom(
    "220 mx",
    "250-mx",
    "250 STARTTLS",
    "250-XCLIENT ADDR",
    "220",
    "4",
    "\r\n",
    "\n",
    "-",
    "\0",
    "é",
  )
  fc.assert(
    fc.property(fc.array(fc.array(words, { maxLength: 5 }), { maxLength: 6 }), (segments) => {
      const machine = client({ xclient })
      machine.begin()
      for (const segment of segments) machine.received(Buffer.from(segment.join(""), "latin1"))
    }),
    { numRuns: 2000 },
  )
})

function client(more: Partial<SmtpClientSettings> = {}) {
  return new Player(new SmtpClientPart({ senderName: "mail.carol.example", xclient: undefined, ...more }))
}

function dialogue(script: string, more: Partial<SmtpClientSettings> = {}) {
  expect(replay(client(more), "client", script)).toEqual(lines(script))
}
