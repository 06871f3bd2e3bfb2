import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { hostname, type Hostname } from "../../../../src/names/hostname.ts"
import { Player } from "../../../../src/prelude/player.ts"
import type { Wishes } from "../../../../src/prelude/prelude.ts"
import { XmppClientPart } from "../../../../src/prelude/xmpp/client-part.ts"
import { XmppServerPart } from "../../../../src/prelude/xmpp/server-part.ts"

const domain = hostname("alice.example") as Hostname // known to be one
const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'`
const OPEN = `${HEADER} to='Alice.Example' version='1.0'>`
const STARTTLS = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
const PROCEED = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
const ONLY_TLS =
  "<stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls></stream:features>"

describe("towards a client", () => {
  test("a stream is opened whose only feature is TLS", () => {
    const { part, machine } = server()
    expect(machine.begin()).toEqual([])
    expect(texts(machine.received(Buffer.from(OPEN)))).toEqual([
      `${HEADER} id='7f3a' from='alice.example' version='1.0'>${ONLY_TLS}`,
    ])
    expect(part.domain).toBe("alice.example")
    expect(machine.received(Buffer.from(STARTTLS))).toEqual([{ do: "say", text: PROCEED }, { do: "begin-tls" }])
  })

  test("other spellings of the same are understood", () => {
    const { machine } = server()
    machine.begin()
    machine.received(
      Buffer.from(`<?xml version="1.0" encoding="UTF-8" ?>\n<stream:stream\n to="alice.example" version="1.0" xmlns="jabber:client"
      xmlns:stream = "http://etherx.jabber.org/streams" xml:lang='a>b' >\n`),
    )
    const wishes = machine.received(Buffer.from(`<starttls xmlns="urn:ietf:params:xml:ns:xmpp-tls">\n</starttls>`))
    expect(wishes.at(-1)).toEqual({ do: "begin-tls" })
  })

  test("a domain that is none is not echoed", () => {
    const { part, machine } = server()
    machine.begin()
    expect(texts(machine.received(Buffer.from(OPEN.replace("Alice.Example", "a&apos;b>c")))).join()).not.toContain(
      "apos",
    )
    expect(part.domain).toBeUndefined()
  })

  test.each([
    ["anything behind starttls", `${OPEN}${STARTTLS}<iq/>`, "PIPELINED_UNASKED"],
    [
      "a login before TLS",
      `${OPEN}<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>`,
      "COMMAND_MALFORMED",
    ],
    ["starttls before a stream", STARTTLS, "COMMAND_MALFORMED"],
    ["starttls of another namespace", `${OPEN}<starttls/>`, "COMMAND_MALFORMED"],
    ["a server's stream", OPEN.replace("jabber:client", "jabber:server"), "COMMAND_MALFORMED"],
    ["two streams", `${OPEN}${OPEN.slice(OPEN.indexOf("<stream"))}`, "COMMAND_MALFORMED"],
    ["text", `${OPEN}hello`, "COMMAND_MALFORMED"],
    ["a comment", "<!-- x -->", "COMMAND_MALFORMED"],
    ["a document type", "<!DOCTYPE x [<!ENTITY a 'b'>]>", "COMMAND_MALFORMED"],
    ["a processing instruction", "<?php x='1'?>", "COMMAND_MALFORMED"],
    ["a doubled attribute", "<stream:stream to='a' to='b'>", "COMMAND_MALFORMED"],
    ["an endless tag", `<stream:stream to='${"a".repeat(2000)}`, "COMMAND_MALFORMED"],
    ["endless white space", " ".repeat(2000), "COMMAND_MALFORMED"],
    ["HTTP", "GET / HTTP/1.1\r\n", "COMMAND_MALFORMED"],
    ["TLS at once", "\x16\x03\x01", "COMMAND_MALFORMED"],
  ])("%s ends the stream with an error", (_what, text, code) => {
    const { machine } = server()
    machine.begin()
    const wishes = machine.received(Buffer.from(text, "latin1"))
    expect(wishes.at(-2)).toMatchObject({
      text: expect.stringMatching(/<stream:error>.*<\/stream:error><\/stream:stream>$/),
    })
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })

  test("a client may leave", () => {
    const { machine } = server()
    machine.begin()
    machine.received(Buffer.from(OPEN))
    expect(machine.received(Buffer.from("</stream:stream>")).at(-1)).toEqual({ do: "close", why: undefined })
  })
})

describe("towards a friend's server", () => {
  test("a stream is opened to the domain, and TLS asked for", () => {
    const machine = client()
    expect(texts(machine.begin())).toEqual([`${HEADER} to='alice.example' version='1.0'>`])
    expect(machine.received(Buffer.from(`${HEADER} id='1' from='alice.example' version='1.0'>`))).toEqual([])
    expect(texts(machine.received(Buffer.from(ONLY_TLS)))).toEqual([STARTTLS])
    expect(machine.received(Buffer.from(PROCEED))).toEqual([{ do: "begin-tls" }])
  })

  test("features besides TLS, and text in them, do not matter", () => {
    const machine = client()
    machine.begin()
    machine.received(Buffer.from(`${HEADER} id='1'>`))
    const more = "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms>"
    expect(texts(machine.received(Buffer.from(ONLY_TLS.replace("<starttls", `${more}<starttls`))))).toEqual([STARTTLS])
  })

  test.each([
    ["that has no TLS", [`${HEADER}>`, "<stream:features></stream:features>"], "HOME_WITHOUT_TLS"],
    [
      "that fails at TLS",
      [`${HEADER}>`, ONLY_TLS, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"],
      "HOME_WITHOUT_TLS",
    ],
    ["that does not know the domain", [`${HEADER}>`, "<stream:error><host-unknown/></stream:error>"], "HOME_REFUSES"],
    ["that says more before TLS", [`${HEADER}>`, ONLY_TLS, `${PROCEED}<stream:features>`], "HOME_MALFORMED"],
    ["that proceeds in another namespace", [`${HEADER}>`, ONLY_TLS, "<proceed/>"], "HOME_MALFORMED"],
    ["that opens no stream", ["<html>"], "HOME_MALFORMED"],
    ["that has no features", [`${HEADER}>`, "<iq>"], "HOME_MALFORMED"],
  ])("a server %s is left", (_what, said, code) => {
    const machine = client()
    machine.begin()
    const wishes = said.flatMap((text) => machine.received(Buffer.from(text)))
    expect(wishes.at(-1)).toMatchObject({ do: "close", why: { code } })
  })
})

test("nothing that either end can send makes a machine throw", () => {
  const words = fc.constantFrom(
    HEADER,
    OPEN,
    STARTTLS,
    PROCEED,
    ONLY_TLS,
    "<",
    ">",
    "'",
    '"',
    "/",
    "=",
    " a='b'",
    "<?",
    "é",
    "\0",
    "</a>",
  )
  fc.assert(
    fc.property(fc.array(fc.array(words, { maxLength: 5 }), { maxLength: 6 }), (segments) => {
      for (const machine of [server().machine, client()]) {
        machine.begin()
        for (const segment of segments) machine.received(Buffer.from(segment.join(""), "latin1"))
      }
    }),
    { numRuns: 2000 },
  )
})

function server() {
  const part = new XmppServerPart({ streamId: "7f3a" })
  return { part, machine: new Player(part) }
}

function client() {
  return new Player(new XmppClientPart({ domain }))
}

function texts(wishes: Wishes): string[] {
  return wishes.flatMap((wish) => (wish.do === "say" ? [wish.text] : []))
}
