/**
 * What testers of STARTTLS injection do (CVE-2011-0411, CVE-2021-38371 and their like), for every protocol that begins in
 * the clear: words said in the clear that would count as said inside TLS, by whoever sits between visitor and relay or
 * between relay and the friend's server.
 */
import { connect, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { describe, expect, test } from "@jest/globals"
import { STARTTLS_PROTOCOLS } from "../../../src/prelude/preludes.ts"
import type { StartTls } from "../../../src/route/route.ts"
import { eventually } from "../../support/eventually.ts"
import { startFriendsServer, type Injects } from "../../support/friends-server.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"
import { dedicated, openSharedPort, type SharedPort } from "../../support/shared-port.ts"

const ALICE = "mx.alice.example"
const INJECTED = "injected"

type Words = {
  /** How the server's greeting ends; `undefined`: the visitor speaks first. */
  readonly greeting: RegExp | undefined
  /** Said before STARTTLS, and how the answer ends. */
  readonly opening: readonly (readonly [said: string, answer: RegExp])[]
  readonly asksForTls: string
  readonly mayBegin: RegExp
  /** All that the friend's server hears in the clear. */
  readonly toldHome: string
  /** A command that a server would answer with what was injected, or at all. */
  readonly command: string
  /** A reply that a visitor would believe. */
  readonly reply: string
}

const HEADER = `<?xml version='1.0'?><stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams'`
const STARTTLS_TAG = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"

/** One for each: a protocol that is added has to say here how it would be injected into. */
const WORDS: Readonly<Record<keyof typeof STARTTLS_PROTOCOLS, Words>> = {
  smtp: {
    greeting: /^220 .*\r\n$/,
    opening: [["EHLO mail.carol.example\r\n", /^250 .*\r\n$/m]],
    asksForTls: "STARTTLS\r\n",
    mayBegin: /^220 .*\r\n$/m,
    toldHome: "EHLO mail.carol.example\r\nSTARTTLS\r\n",
    command: `NOOP\r\nMAIL FROM:<${INJECTED}@mallory.example>\r\n`,
    reply: `250-mx\r\n250 AUTH ${INJECTED}\r\n`,
  },
  imap: {
    greeting: /^\* OK .*\r\n$/,
    opening: [],
    asksForTls: "a STARTTLS\r\n",
    mayBegin: /^a OK.*\r\n$/m,
    toldHome: "w STARTTLS\r\n",
    command: `b LOGIN ${INJECTED} ${INJECTED}\r\n`,
    reply: `* PREAUTH ${INJECTED}\r\n`,
  },
  managesieve: {
    greeting: /^OK.*\r\n$/m,
    opening: [],
    asksForTls: "STARTTLS\r\n",
    mayBegin: /^OK.*\r\n$/m,
    toldHome: "STARTTLS\r\n",
    command: `NOOP "${INJECTED}"\r\n`,
    reply: `"SASL" "${INJECTED}"\r\nOK\r\n`,
  },
  xmpp: {
    greeting: undefined,
    opening: [[`${HEADER} to='${ALICE}' version='1.0'>`, /<\/stream:features>$/]],
    asksForTls: STARTTLS_TAG,
    mayBegin: /<proceed [^>]*\/>$/,
    toldHome: `${HEADER} to='${ALICE}' version='1.0'>${STARTTLS_TAG}`,
    command: `<iq id='${INJECTED}' type='get'/>`,
    reply: `<stream:features><mechanism>${INJECTED}</mechanism></stream:features>`,
  },
}

describe.each(Object.keys(WORDS) as StartTls[])("%s:", (protocol) => {
  const { asksForTls, mayBegin, toldHome, command, reply } = WORDS[protocol]

  test("without an injection the visitor and Alice's server talk inside TLS", async () => {
    await using world = await between(protocol)
    const visitor = await opened(world.bob.port, protocol)
    await visitor.says(asksForTls)
    await visitor.hears(mayBegin)
    expect(await visitor.insideTls(world.pair)).toBe("heard hello")
    expect(world.alice.heardInTheClear()).toBe(toldHome)
  })

  test.each([
    ["in one segment", [asksForTls + command]],
    ["in the same segment, and half a command", [asksForTls + command.slice(0, 3)]],
    ["in segments that follow at once", [asksForTls, command]],
    ["byte by byte", Array.from(asksForTls + command)],
  ])("words of a visitor behind STARTTLS, %s, are heard by nobody", async (_how, segments) => {
    await using world = await between(protocol)
    const visitor = await opened(world.bob.port, protocol)
    await visitor.says(...segments)
    await visitor.hears(mayBegin) // or is hung up on
    expect(await visitor.insideTls(world.pair)).toBe("no TLS")
    expect(world.alice.heardInTheClear()).toBe("")
  })

  test("nor are those that come between the answer to STARTTLS and the ClientHello", async () => {
    await using world = await between(protocol)
    const visitor = await opened(world.bob.port, protocol)
    await visitor.says(asksForTls)
    await visitor.hears(mayBegin)
    await visitor.says(command)
    expect(await visitor.insideTls(world.pair)).toBe("no TLS")
    expect(world.alice.heardInTheClear()).toBe("")
  })

  test.each(["the same segment", "its own segment"] as const)(
    "a reply behind the friend's answer to STARTTLS, in %s, is no reply to the visitor",
    async (where) => {
      await using world = await between(protocol, { text: reply, in: where })
      const visitor = await opened(world.bob.port, protocol)
      await visitor.says(asksForTls)
      await visitor.hears(mayBegin)
      const said = await visitor.insideTls(world.pair, world.bob.pair)
      expect(said).not.toContain(INJECTED)
      expect(said).not.toContain("heard")
    },
  )
})

async function between(protocol: StartTls, injects?: Injects) {
  await using closing = new AsyncDisposableStack()
  const pair = await keyPair(ALICE)
  const alice = closing.use(await startFriendsServer(protocol, ALICE, pair, injects))
  const bob: SharedPort = closing.use(await openSharedPort({ [ALICE]: dedicated("alice", alice.port) }, { protocol }))
  const kept = closing.move()
  return { pair, alice, bob, [Symbol.asyncDispose]: () => kept.disposeAsync() }
}

/** A visitor to whom STARTTLS is the next thing to say. */
async function opened(port: number, protocol: StartTls): Promise<Visitor> {
  const visitor = new Visitor(port)
  const { greeting, opening } = WORDS[protocol]
  if (greeting) await visitor.hears(greeting)
  for (const [said, answer] of opening) {
    await visitor.says(said)
    await visitor.hears(answer)
  }
  return visitor
}

class Visitor {
  readonly #socket: Socket
  #heard = ""

  constructor(port: number) {
    this.#socket = connect(port, "127.0.0.1").setNoDelay(true)
    this.#socket.on("error", () => {}) // whoever injects is hung up on
    this.#socket.on("data", (bytes: Buffer) => (this.#heard += bytes.toString("latin1")))
  }

  /** Each in a segment of its own. */
  async says(...segments: readonly string[]): Promise<void> {
    for (const segment of segments) await new Promise((resolve) => this.#socket.write(segment, resolve))
  }

  /** Until that was said, or the other end has hung up. */
  async hears(words: RegExp): Promise<void> {
    const over = () => this.#socket.destroyed || this.#socket.readableEnded
    await eventually("it is answered", () => words.test(this.#heard) || over())
    this.#heard = ""
  }

  /** Goes on as a visitor that noticed nothing: what it is answered inside TLS, or that there is none. */
  insideTls(...trusted: readonly KeyPair[]): Promise<string> {
    const socket = this.#socket.removeAllListeners("data")
    if (socket.destroyed) return Promise.resolve("no TLS")
    const ca = trusted.map(({ cert }) => cert)
    const tls = connectTls({ socket, servername: ALICE, ca, checkServerIdentity: () => undefined })
    return new Promise((resolve) => {
      let heard = ""
      tls.once("secureConnect", () => tls.write("hello"))
      tls.on("data", (bytes: Buffer) => {
        heard += bytes.toString("latin1")
        if (heard === "heard hello") tls.destroy()
      })
      tls.on("error", () => tls.destroy())
      tls.once("close", () => resolve(heard === "" ? "no TLS" : heard))
    })
  }
}
