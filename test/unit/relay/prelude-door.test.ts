/** Two friends' mail servers behind one port: real sockets, real TLS, and the relay that only hears EHLO. */
import { afterEach, describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect, createServer, type AddressInfo } from "node:net"
import { systemClock } from "../../../src/clock/clock.ts"
import { silentLog } from "../../../src/log/log.ts"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import { dial } from "../../../src/net/dial.ts"
import { preludeDoor } from "../../../src/relay/prelude-door.ts"
import type { Otherwise, Route } from "../../../src/route/route.ts"
import { address, at } from "../../support/loopback.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"
import { onlyMessage, SmtpClient, startMailHost, type MailHost } from "../../support/smtp-dialogue.ts"

const closers: (() => PromiseLike<void> | void)[] = []
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close()
})

const named = (name: string) => hostname(name) as Hostname

async function home(name: string): Promise<MailHost & { readonly pair: KeyPair }> {
  const pair = await keyPair(name)
  const host = await startMailHost({ name: named(name), tls: pair })
  closers.push(() => host[Symbol.asyncDispose]())
  return { ...host, pair }
}

function dedicated(friend: string, port: number): Route {
  return {
    friend,
    listener: "smtp",
    protocol: "smtp",
    matches: [],
    carry: { mode: "dedicated", proxy: "none", otherwise: "refuse" },
    to: { kind: "tcp", to: [{ host: address("127.0.0.1"), port }] },
  }
}

/** Bob's port 25 with a route for each name. */
async function sharedPort(routes: Readonly<Record<string, Route>>, otherwise: Otherwise = "refuse") {
  const pair = await keyPair("relay.bob.example")
  const peer = await startMailHost({ tls: pair })
  closers.push(() => peer[Symbol.asyncDispose]())
  const door = preludeDoor({
    name: named("relay.bob.example"),
    routeFor: (_listener, name) => routes[name],
    otherwise: () => otherwise,
    dial: (route) => (route.to.kind === "tcp" ? dial(route.to.to[0], 2_000) : Promise.reject(new Error("no box"))),
    becomeEnd: (socket, visitor, begun) => peer.server.accept(socket, { ...visitor, ...begun }),
    deadlineMs: () => 5_000,
    idleDeadlineMs: () => 60_000,
    clock: systemClock,
    log: silentLog,
  })
  const visitor = { listener: "smtp", protocol: "smtp", route: undefined, hello: undefined } as const
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    door.accept(socket, { ...visitor, remote: at("192.0.2.9", 50_000), local: at("127.0.0.1", 25) })
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(() => void server.close())
  return { port: (server.address() as AddressInfo).port, pair, peer }
}

/** A sender that asks for TLS and names a host in it; `undefined`: none. Resolves past the handshake. */
async function sender(port: number, servername: string | undefined): Promise<SmtpClient> {
  const carol = await SmtpClient.greeted(port)
  await carol.startTls(servername === undefined ? {} : { servername })
  return carol
}

const LETTER = [
  "MAIL FROM:<carol@sender.example>",
  "RCPT TO:<dave@dave.example>",
  "DATA",
  "Subject: x\r\n\r\nMeet me at noon\r\n.",
]

describe("two friends on one port", () => {
  test("each sender reaches the server that it names, end to end", async () => {
    const [alice, dave] = await Promise.all([home("mx.alice.example"), home("mx.dave.example")])
    const bob = await sharedPort({
      "mx.alice.example": dedicated("alice", alice.port),
      "mx.dave.example": dedicated("dave", dave.port),
    })
    for (const [name, friend] of [
      ["mx.alice.example", alice],
      ["mx.dave.example", dave],
    ] as const) {
      using carol = await sender(bob.port, name)
      expect(carol.peerCertificate()?.trim()).toBe(friend.pair.cert.trim())
      expect(await carol.says("EHLO mx.sender.example", ...LETTER)).toMatch(/^250 /)
      expect(await onlyMessage(friend.spool)).toContain("Meet me at noon")
    }
  })

  test("the greeting offers STARTTLS and nothing that a friend's server would have to keep", async () => {
    const bob = await sharedPort({})
    using carol = await SmtpClient.connect(bob.port)
    expect(await carol.says("EHLO mx.sender.example")).toBe("250-relay.bob.example\n250 STARTTLS")
  })
})

describe("a sender that names nobody here", () => {
  test.each([
    ["no name", undefined],
    ["an unknown name", "mx.mallory.example"],
  ])("%s: is told so inside the relay's TLS", async (_what, name) => {
    const bob = await sharedPort({})
    using carol = await sender(bob.port, name)
    expect(carol.peerCertificate()?.trim()).toBe(bob.pair.cert.trim())
    expect(await carol.reply()).toMatch(/^421 4\.7\.0 Your TLS names no host/)
    expect(await carol.reply()).toBe("closed")
  })

  test("is served by the relay itself where a friend allows it", async () => {
    const bob = await sharedPort({}, "peer")
    using carol = await sender(bob.port, undefined)
    expect(await carol.says("EHLO mx.sender.example", ...LETTER)).toMatch(/^250 2\.0\.0 Kept/)
    expect(await onlyMessage(bob.peer.spool)).toContain("Meet me at noon")
  })
})

describe("a sender without TLS", () => {
  test("is asked for it", async () => {
    const bob = await sharedPort({})
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(LETTER[0] ?? "")).toMatch(/^530 5\.7\.0 /)
  })

  test("is served by the relay itself where a friend allows it, and hears no answer twice", async () => {
    const bob = await sharedPort({}, "peer")
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(...LETTER)).toMatch(/^250 2\.0\.0 Kept/)
    expect(await onlyMessage(bob.peer.spool)).toContain("Meet me at noon")
  })
})

test("a friend's server that is down is told about inside the relay's TLS, before any envelope", async () => {
  const bob = await sharedPort({ "mx.alice.example": dedicated("alice", 1) })
  using carol = await sender(bob.port, "mx.alice.example")
  expect(await carol.reply()).toMatch(/^4\d\d 4\.4\.1 /)
})

test("what is sent behind STARTTLS in the clear ends the connection", async () => {
  const bob = await sharedPort({})
  using carol = await SmtpClient.greeted(bob.port)
  carol.sends("STARTTLS\r\nMAIL FROM:<mallory@example>\r\n")
  expect(await carol.reply()).toMatch(/^554 5\.5\.0 /)
  expect(await carol.reply()).toBe("closed")
})

test("a sender that goes away in the middle leaves nothing behind", async () => {
  const alice = await home("mx.alice.example")
  const bob = await sharedPort({ "mx.alice.example": dedicated("alice", alice.port) })
  const socket = connect(bob.port, "127.0.0.1")
  await once(socket, "data")
  socket.resetAndDestroy()
  using carol = await sender(bob.port, "mx.alice.example")
  expect(await carol.says("EHLO mx.sender.example")).toMatch(/^250/)
})
