import { describe, expect, test } from "@jest/globals"
import { Player } from "../../../../src/prelude/player.ts"
import { SieveClientPart } from "../../../../src/prelude/sieve/client-part.ts"
import { SieveServerPart } from "../../../../src/prelude/sieve/server-part.ts"
import { lines, replay } from "../../../support/dialogue.ts"

describe("towards a Sieve editor", () => {
  test("TLS is offered, and nothing else", () => {
    serverDialogue(`
      S: "IMPLEMENTATION" "Waypost"
      S: "SASL" ""
      S: "SIEVE" ""
      S: "STARTTLS"
      S: "VERSION" "1.0"
      S: OK
      C: AUTHENTICATE "PLAIN" "AGFsaWNlAHNlY3JldA=="
      S: NO (ENCRYPT-NEEDED) "STARTTLS first"
      C: LISTSCRIPTS
      S: NO "Not before TLS"
      C: NOOP
      S: OK
      C: NOOP "tag"
      S: NO "No argument before TLS, please"
      C: starttls
      S: OK
      (begin TLS)`)
  })

  test.each([
    ["a command behind STARTTLS", "STARTTLS\r\nLOGOUT\r\n", "PIPELINED_UNASKED"],
    ["HTTP", "GET / HTTP/1.1\r\n", "OTHER_PROTOCOL"],
    ["the twenty-first command", "NOOP\r\n".repeat(21), "PRELUDE_TOO_LONG"],
  ])("%s ends it with BYE", (_what, text, code) => {
    const machine = new Player(new SieveServerPart())
    machine.begin()
    const wishes = machine.received(Buffer.from(text))
    expect(wishes.at(-2)).toMatchObject({ text: expect.stringMatching(/^BYE ".*"\r\n$/) })
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })
})

describe("towards a friend's server", () => {
  test("TLS is asked for behind the capabilities", () => {
    clientDialogue(`
      S: "IMPLEMENTATION" "Dovecot Pigeonhole"
      S: "SIEVE" "fileinto reject envelope"
      S: "STARTTLS"
      S: "VERSION" "1.0"
      S: OK "Dovecot ready."
      C: STARTTLS
      S: OK "Begin TLS negotiation now."
      (begin TLS)`)
  })

  test("a server without TLS is left", () => {
    clientDialogue(`
      S: "IMPLEMENTATION" "Old"
      S: OK
      C: LOGOUT
      (close HOME_WITHOUT_TLS)`)
  })

  test.each([
    ["that is full", ['BYE "Too many"'], "HOME_SAYS_LATER"],
    ["that refuses TLS", ['"STARTTLS"', "OK", "NO"], "HOME_WITHOUT_TLS"],
    ["that is none", ["220 mx"], "HOME_MALFORMED"],
    ["that speaks on", ['"STARTTLS"', 'OK\r\n"X"'], "HOME_MALFORMED"],
    ["that says more before TLS", ['"STARTTLS"', "OK", 'OK\r\n"X"'], "HOME_MALFORMED"],
  ])("a server %s is left", (_what, said, code) => {
    const machine = new Player(new SieveClientPart())
    machine.begin()
    const wishes = said.flatMap((line) => machine.received(Buffer.from(`${line}\r\n`)))
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })
})

function serverDialogue(script: string) {
  expect(replay(new Player(new SieveServerPart()), "server", script)).toEqual(lines(script))
}

function clientDialogue(script: string) {
  expect(replay(new Player(new SieveClientPart()), "client", script)).toEqual(lines(script))
}
