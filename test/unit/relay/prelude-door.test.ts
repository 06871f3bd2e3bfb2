/** Two friends' mail servers behind one port: real sockets, real TLS, and the relay that only hears EHLO. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { text } from "node:stream/consumers"
import { connect as connectTls } from "node:tls"
import { afterAll, describe, expect, test } from "@jest/globals"
import type { Route } from "../../../src/route/route.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"
import { dedicated, named, openSharedPort, type SharedPort, type SharedPortOptions } from "../../support/shared-port.ts"
import { onlyMessage, SmtpClient, startMailHost, type MailHost } from "../../support/smtp-dialogue.ts"
import { countTurns, type Turns } from "../../support/turns.ts"

const closing = new AsyncDisposableStack()
afterAll(() => closing.disposeAsync())

async function home(name: string): Promise<MailHost & { readonly pair: KeyPair }> {
  const pair = await keyPair(name)
  return { ...closing.use(await startMailHost({ name: named(name), tls: pair })), pair }
}

async function sharedPort(routes: Readonly<Record<string, Route>>, more: SharedPortOptions = {}): Promise<SharedPort> {
  return closing.use(await openSharedPort(routes, more))
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
    expect(bob.counted()).toEqual([`smtp  ${name ? "unknown-name" : "without-name"} refused 1`])
  })

  test("is served by the relay itself where a friend allows it", async () => {
    const bob = await sharedPort({}, { otherwise: "peer" })
    using carol = await sender(bob.port, undefined)
    expect(await carol.says("EHLO mx.sender.example", ...LETTER)).toMatch(/^250 2\.0\.0 Kept/)
    expect(await onlyMessage(bob.peer.spool)).toContain("Meet me at noon")
  })
})

test("mail that could not be carried and is nobody's here is told to come again: it may be for a friend who lists his host alone", async () => {
  const bob = await sharedPort({}, { otherwise: "peer" })
  using carol = await sender(bob.port, undefined)
  await carol.says("EHLO mx.sender.example", "MAIL FROM:<carol@sender.example>")
  expect(await carol.says("RCPT TO:<alice@listed.nowhere.example>")).toMatch(/^421 4\.7\.0 Your TLS names no host/)
})

describe("a sender without TLS", () => {
  test("is asked for it", async () => {
    const bob = await sharedPort({})
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(LETTER[0] ?? "")).toMatch(/^530 5\.7\.0 /)
    expect(await carol.says("QUIT")).toMatch(/^221/)
    expect(bob.counted()).toEqual(["smtp  without-tls refused 1"])
  })

  test("is served by the relay itself where a friend allows it, and hears no answer twice", async () => {
    const bob = await sharedPort({}, { otherwise: "peer" })
    using carol = await SmtpClient.greeted(bob.port)
    expect(await carol.says(...LETTER)).toMatch(/^250 2\.0\.0 Kept/)
    expect(await onlyMessage(bob.peer.spool)).toContain("Meet me at noon")
  })
})

describe("a friend's server that cannot be reached", () => {
  test("is told about inside the relay's TLS, before any envelope", async () => {
    const bob = await sharedPort({ "mx.alice.example": dedicated("alice", 1) })
    using carol = await sender(bob.port, "mx.alice.example")
    expect(await carol.reply()).toBe("421 4.4.1 The next host refuses connections")
    expect(await carol.reply()).toBe("closed")
    expect(bob.counted()).toEqual(["smtp alice home-away refused 1"])
  })

  test("is stood in for where the friend allows it", async () => {
    const routes = { "mx.alice.example": dedicated("alice", 1, "peer") }
    const bob = await sharedPort(routes, { otherwise: "peer" })
    using carol = await sender(bob.port, "mx.alice.example")
    expect(await carol.says("EHLO mx.sender.example", ...LETTER)).toMatch(/^250 2\.0\.0 Kept/)
    expect(bob.counted()).toEqual(["smtp alice home-away peer 1"])
  })

  test("is known of before the greeting where nobody else is behind the port", async () => {
    const bob = await sharedPort({}, { nobodyHome: "BACKEND_SILENT" })
    expect(await text(connect(bob.port, "127.0.0.1"))).toBe("421 4.4.1 The next host did not answer in time\r\n")
  })

  test("may accept and then say nothing: that has a deadline of its own", async () => {
    const silent = createServer().listen(0, "127.0.0.1")
    await once(silent, "listening")
    closing.defer(() => void silent.close())
    const { port } = silent.address() as AddressInfo
    const bob = await sharedPort({ "mx.alice.example": dedicated("alice", port) }, { homeDeadlineMs: 50 })
    using carol = await sender(bob.port, "mx.alice.example")
    expect(await carol.reply()).toBe("421 4.4.1 The next host did not answer in time")
  })

  test("which does not begin TLS is no server that is away: it is told as its fault, whatever is allowed", async () => {
    const clear = await startMailHost({ name: named("mx.alice.example") })
    closing.use(clear)
    const routes = { "mx.alice.example": dedicated("alice", clear.port, "peer") }
    const bob = await sharedPort(routes, { otherwise: "peer" })
    using carol = await sender(bob.port, "mx.alice.example")
    expect(await carol.reply()).toBe("421 4.7.4 The next host does not begin TLS")
  })
})

describe("the friend's server is waited for as often as if the sender came to it directly:", () => {
  // TLS 1.2, whose session tickets come in the server's own turn, so that every turn is an answer to what was said.
  const tls = { servername: "mx.alice.example", maxVersion: "TLSv1.2" } as const
  const turnsOf = async (port: number, counting: Turns): Promise<number> => {
    using carol = await SmtpClient.greeted(port)
    await carol.startTls(tls)
    await carol.says("EHLO mx.sender.example")
    return counting.turns()
  }

  test("no round trip is added", async () => {
    const alice = await home("mx.alice.example")
    const counting = closing.use(await countTurns(alice.port))
    const bob = await sharedPort({ "mx.alice.example": dedicated("alice", counting.port) })
    const direct = await turnsOf(counting.port, counting)
    expect(direct).toBe(5) // EHLO, STARTTLS, two of the handshake, EHLO
    expect(await turnsOf(bob.port, counting)).toBe(direct)
  })
})

test("a friend who has no room for another connection", async () => {
  const bob = await sharedPort({ "mx.alice.example": dedicated("alice", 1) }, { tooMany: "TOO_MANY_FOR_FRIEND" })
  using carol = await sender(bob.port, "mx.alice.example")
  expect(await carol.reply()).toBe("421 4.3.2 Too many connections for this host")
})

describe("protocols in which people log in", () => {
  const BEFORE_TLS = {
    imap: { greeting: /^\* OK \[CAPABILITY/, asks: "a STARTTLS\r\n", answer: /^a OK/ },
    managesieve: { greeting: /OK\r\n$/, asks: "STARTTLS\r\n", answer: /^OK/ },
    xmpp: {
      greeting: undefined,
      asks: "<stream:stream xmlns='jabber:client' to='mallory.example'><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>",
      answer: /<proceed [^>]*\/>$/,
    },
  } as const

  test.each([
    ["imap", /^\* BYE Your TLS names no host/],
    ["managesieve", /^BYE "Your TLS names no host/],
    ["xmpp", /<stream:error><policy-violation .*<text .*>Your TLS names no host.*<\/stream:error><\/stream:stream>$/],
  ] as const)("%s: who names nobody is told so inside the relay's TLS", async (protocol, farewell) => {
    const { greeting, asks, answer } = BEFORE_TLS[protocol]
    const bob = await sharedPort({}, { protocol })
    const socket = connect(bob.port, "127.0.0.1")
    if (greeting) expect(await heard(socket)).toMatch(greeting)
    socket.write(asks)
    expect(await heard(socket)).toMatch(answer)
    const tls = connectTls({ socket, ca: bob.pair.cert, checkServerIdentity: () => undefined })
    expect(await text(tls)).toMatch(farewell)
    expect(bob.counted()).toEqual([`${protocol}  ${protocol === "xmpp" ? "unknown-name" : "without-name"} refused 1`])
  })
})

test("who says nothing is gone at the deadline, and was told", async () => {
  const bob = await sharedPort({}, { deadlineMs: 50 })
  using carol = await SmtpClient.greeted(bob.port)
  expect(await carol.reply()).toBe("421 4.3.0 The connection said nothing we can route by in time")
  expect(await carol.reply()).toBe("closed")
  expect(bob.counted()).toEqual(["smtp  not-heard left 1"])
})

test("what the friends' servers offer is offered", async () => {
  const bob = await sharedPort({}, { offers: ["SIZE 1000", "8BITMIME"] })
  using carol = await SmtpClient.connect(bob.port)
  expect(await carol.says("EHLO mx.sender.example")).toBe(
    "250-relay.bob.example\n250-SIZE 1000\n250-8BITMIME\n250 STARTTLS",
  )
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

async function heard(socket: Socket): Promise<string> {
  const [bytes] = (await once(socket, "data")) as [Buffer]
  return bytes.toString()
}
