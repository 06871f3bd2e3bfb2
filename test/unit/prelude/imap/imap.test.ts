import { describe, expect, test } from "@jest/globals"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import { ImapClientPart } from "../../../../src/prelude/imap/client-part.ts"
import { ImapServerPart } from "../../../../src/prelude/imap/server-part.ts"
import { Player } from "../../../../src/prelude/player.ts"
import { lines, replay } from "../../../support/dialogue.ts"

const name = hostname("relay.bob.example") as Hostname // known to be one

describe("towards a mail reader", () => {
  test("TLS is offered, and nothing else", () => {
    serverDialogue(`
      S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] relay.bob.example
      C: a1 CAPABILITY
      S: * CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED
      S: a1 OK Done
      C: a2 login alice secret
      S: a2 NO [PRIVACYREQUIRED] STARTTLS first
      C: a3 AUTHENTICATE PLAIN
      S: a3 NO [PRIVACYREQUIRED] STARTTLS first
      C: a4 SELECT INBOX
      S: a4 BAD Not before TLS
      C: a5 NOOP
      S: a5 OK Done
      C: a6 STARTTLS now
      S: a6 BAD No argument, please
      C: what
      S: * BAD A tag and a command, please
      C: a7 StartTLS
      S: a7 OK Begin TLS now
      (begin TLS)`)
  })

  test("a reader may leave", () => {
    serverDialogue(`
      S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] relay.bob.example
      C: x LOGOUT
      S: * BYE Goodbye
      S: x OK Done
      (close)`)
  })

  test.each([
    ["a command behind STARTTLS", "a STARTTLS\r\nb LOGIN x y\r\n", "PIPELINED_UNASKED"],
    ["a line ended by LF", "a NOOP\n", "BARE_LINE_END"],
    ["HTTP", "GET / HTTP/1.1\r\n", "OTHER_PROTOCOL"],
    ["TLS at once", "\x16\x03\x01", "COMMAND_MALFORMED"],
    ["the twenty-first command", "a NOOP\r\n".repeat(21), "PRELUDE_TOO_LONG"],
  ])("%s ends it with BYE", (_what, text, code) => {
    const machine = new Player(new ImapServerPart({ name }))
    machine.begin()
    const wishes = machine.received(Buffer.from(text, "latin1"))
    expect(wishes.at(-2)).toMatchObject({ text: expect.stringMatching(/^\* BYE .*\r\n$/) })
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })
})

describe("towards a friend's server", () => {
  test("TLS is asked for behind the greeting", () => {
    clientDialogue(`
      S: * OK [CAPABILITY IMAP4rev1 STARTTLS] Dovecot ready.
      C: w STARTTLS
      S: * CAPABILITY IMAP4rev1
      S: w OK Begin TLS negotiation now.
      (begin TLS)`)
  })

  test.each([
    ["that is full", "* BYE Too many connections", "HOME_SAYS_LATER"],
    ["that takes us for somebody", "* PREAUTH Welcome", "HOME_WITHOUT_TLS"],
    ["that is none", "220 mx.alice.example", "HOME_MALFORMED"],
    ["that speaks on", "* OK ready\r\n* CAPABILITY X", "HOME_MALFORMED"],
    ["that does not know TLS", "* OK ready", "HOME_WITHOUT_TLS", "w BAD Unknown command"],
    ["that has no TLS", "* OK ready", "HOME_WITHOUT_TLS", "w NO No certificate"],
    [
      "that says more before TLS (CVE-2021-33515 and its like)",
      "* OK ready",
      "HOME_MALFORMED",
      "w OK go\r\n* CAPABILITY X",
    ],
  ])("a server %s is left", (_what, greeting, code, ...answers) => {
    const machine = new Player(new ImapClientPart())
    machine.begin()
    const wishes = [greeting, ...answers].flatMap((line) => machine.received(Buffer.from(`${line}\r\n`)))
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })
})

function serverDialogue(script: string) {
  expect(replay(new Player(new ImapServerPart({ name })), "server", script)).toEqual(lines(script))
}

function clientDialogue(script: string) {
  expect(replay(new Player(new ImapClientPart()), "client", script)).toEqual(lines(script))
}
