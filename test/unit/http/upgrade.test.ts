import { describe, expect, test } from "@jest/globals"
import { createHash, randomBytes } from "node:crypto"
import { once } from "node:events"
import { connect, type Socket } from "node:net"
import { door, hear, rawBackend, say, until, type Doored } from "../../support/web.ts"

const ASK =
  "GET /chat HTTP/1.1\r\nHost: dave.example\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
const AGREE =
  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

describe("a WebSocket", () => {
  test("carries every byte both ways, and what was sent ahead", async () => {
    const sent = randomBytes(300_000)
    const last = sent.toString("latin1", sent.length - 64)
    await using dave = await rawBackend((socket) => socket.once("data", () => socket.write(AGREE)).pipe(socket))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const socket = connect({ port: bob.port, host: "127.0.0.1" })
    socket.write(Buffer.concat([Buffer.from(ASK), sent]))
    const heard = await hear(socket, (so) => so.endsWith(last))
    expect(digest(heard.slice(-sent.length))).toBe(digest(sent.toString("latin1")))
    expect(digest(dave.heard().slice(-sent.length))).toBe(digest(sent.toString("latin1")))
  })

  test("is asked for with our fields, and agreed to with the friend's", async () => {
    await using dave = await rawBackend((socket) => socket.once("data", () => socket.write(AGREE)))
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const socket = await upgraded(bob)
    expect(dave.heard().toLowerCase()).toContain("\r\nx-forwarded-for: 127.0.0.1\r\n")
    expect(dave.heard().toLowerCase()).toContain("\r\nconnection: upgrade\r\nupgrade: websocket\r\n")
    expect(dave.heard().toLowerCase()).toContain("\r\nvia: 1.1 relay.bob.example\r\n")
    socket.destroy()
  })

  test("lets each side end its own direction", async () => {
    let atHome: Socket | undefined
    await using dave = await rawBackend((socket) => {
      atHome = socket
      socket.removeAllListeners("end")
      socket.once("data", () => socket.write(AGREE))
    })
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const socket = await upgraded(bob)
    socket.end("my last word")
    await until(() => dave.heard().endsWith("my last word"))
    await until(() => atHome?.readableEnded === true)
    atHome?.end("and mine")
    expect(await hear(socket)).toBe("and mine")
    await until(() => dave.open() === 0)
  })

  test("that its visitor cuts is cut for the friend as well, before and after it was agreed to", async () => {
    await using silent = await rawBackend(() => undefined)
    await using dave = await rawBackend((socket) => socket.once("data", () => socket.write(AGREE)))
    await using bob = await door({ hosts: { "dave.example": dave.port, "erin.example": silent.port } })
    const socket = await upgraded(bob)
    socket.resetAndDestroy()
    await until(() => dave.open() === 0)
    const early = connect({ port: bob.port, host: "127.0.0.1" })
    early.write(ASK.replace("dave", "erin"))
    await until(() => silent.heard().includes("/chat"))
    early.destroy()
    await until(() => silent.open() === 0)
  })

  test("that the friend's server refuses gets its answer, and the connection ends", async () => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 403 No\r\nKeep-Alive: 5\r\nContent-Length: 4\r\n\r\nno!\n")),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(bob.port, ASK)
    expect(heard).toMatch(/^HTTP\/1\.1 403 No\r\n/)
    expect(heard).toMatch(/connection: close/i)
    expect(heard).not.toMatch(/keep-alive/i)
    expect(heard).toMatch(/no!\n$/)
  })

  test.each([
    ["502 when the friend's server is down", { "dave.example": 1 }, 502],
    ["421 for a host that nobody here has", {}, 421],
  ])("becomes %s", async (_, hosts, status) => {
    await using bob = await door({ hosts })
    expect(await say(bob.port, ASK)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `))
  })

  test("becomes 504 when the friend's server is silent", async () => {
    await using dave = await rawBackend(() => undefined)
    await using bob = await door({ hosts: { "dave.example": dave.port }, limits: { silenceDeadlineMs: 100 } })
    expect(await say(bob.port, ASK)).toMatch(/^HTTP\/1\.1 504 /)
  })
})

describe("an upgrade that is no WebSocket's is an ordinary request", () => {
  test.each([
    ["to HTTP/2", ASK.replace("websocket", "h2c")],
    ["with content", ASK.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello")],
    ["by POST", ASK.replace("GET", "POST")],
  ])("%s", async (_, ask) => {
    await using dave = await rawBackend((socket) =>
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    expect(await say(bob.port, ask, (heard) => heard.endsWith("ok"))).toMatch(/^HTTP\/1\.1 200 OK/)
    expect(dave.heard()).not.toMatch(/^(upgrade|connection: .*upgrade)/im)
  })

  test("nor is one that was sent ahead of an answer", async () => {
    await using dave = await rawBackend((socket) =>
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")),
    )
    await using bob = await door({ hosts: { "dave.example": dave.port } })
    const heard = await say(
      bob.port,
      `GET /first HTTP/1.1\r\nHost: dave.example\r\n\r\n${ASK}`,
      (so) => so.split("ok").length === 3,
    )
    expect(heard).not.toContain("101")
  })
})

async function upgraded(bob: Doored): Promise<Socket> {
  const socket = connect({ port: bob.port, host: "127.0.0.1", allowHalfOpen: true })
  socket.write(ASK)
  const [answer] = (await once(socket, "data")) as [Buffer]
  expect(answer.toString()).toMatch(/^HTTP\/1\.1 101 Switching Protocols\r\n/)
  return socket
}

function digest(bytes: string): string {
  return createHash("sha256").update(bytes, "latin1").digest("hex")
}
