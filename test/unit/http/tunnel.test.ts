/** Backends that are reached by a stream of an HTTP/2 tunnel, which is no socket. */
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect, createServer, type ClientHttp2Session, type Http2Server } from "node:http2"
import { connect as connectTcp, type AddressInfo } from "node:net"
import type { Duplex } from "node:stream"
import { backend, door, rawBackend, say, until } from "../../support/web.ts"

let home: Http2Server
let tunnel: ClientHttp2Session
let backendPort = 0

beforeEach(async () => {
  home = createServer().listen(0, "127.0.0.1")
  home.on("stream", (stream) => {
    stream.respond({ ":status": 200 })
    const socket = connectTcp({ port: backendPort, host: "127.0.0.1", allowHalfOpen: true })
    stream.pipe(socket).pipe(stream)
    stream.on("close", () => socket.destroy()).on("error", () => {})
    socket.on("error", () => stream.destroy())
  })
  await once(home, "listening")
  tunnel = connect(`http://127.0.0.1:${(home.address() as AddressInfo).port}`)
})

afterEach(() => {
  tunnel.destroy()
  home.close()
})

async function dial(): Promise<Duplex> {
  return tunnel.request({ ":method": "POST", ":path": "/" }, { endStream: false })
}

const GET = "GET /a HTTP/1.1\r\nHost: dave.example\r\nConnection: close\r\n\r\n"

test("requests pass, one after the other on one stream", async () => {
  await using dave = await backend((request, response) => response.end(`<${request.url}>`))
  backendPort = dave.port
  await using bob = await door({ hosts: { "dave.example": 1 }, dial })
  for (let asked = 0; asked < 3; asked++) expect(await say(bob.port, GET)).toContain("</a>")
  expect(dave.accepted()).toBe(1)
})

test("a visitor who leaves leaves no stream behind", async () => {
  await using dave = await rawBackend(() => undefined)
  backendPort = dave.port
  await using bob = await door({ hosts: { "dave.example": 1 }, dial })
  const visitor = connectTcp({ port: bob.port, host: "127.0.0.1" })
  visitor.write(GET)
  await until(() => dave.heard().includes("/a"))
  visitor.destroy()
  await until(() => dave.open() === 0)
})

test("a silent backend is given up", async () => {
  await using dave = await rawBackend(() => undefined)
  backendPort = dave.port
  await using bob = await door({ hosts: { "dave.example": 1 }, dial, limits: { silenceDeadlineMs: 100 } })
  expect(await say(bob.port, GET)).toMatch(/^HTTP\/1\.1 504 /)
  await until(() => dave.open() === 0)
})

test("a WebSocket passes", async () => {
  await using dave = await rawBackend((socket) => {
    socket.once("data", () => {
      socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
      socket.on("data", (piece: Buffer) => socket.write(`<${piece.toString()}>`))
    })
  })
  backendPort = dave.port
  await using bob = await door({ hosts: { "dave.example": 1 }, dial })
  const visitor = connectTcp({ port: bob.port, host: "127.0.0.1" })
  visitor.write("GET / HTTP/1.1\r\nHost: dave.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
  const [agreed] = (await once(visitor, "data")) as [Buffer]
  expect(agreed.toString()).toMatch(/^HTTP\/1\.1 101 /)
  visitor.write("ping")
  const [echo] = (await once(visitor, "data")) as [Buffer]
  expect(echo.toString()).toBe("<ping>")
  visitor.destroy()
  await until(() => dave.open() === 0)
})
