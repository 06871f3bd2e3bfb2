import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect, createServer, type ClientHttp2Session, type Http2Server } from "node:http2"
import type { AddressInfo } from "node:net"
import { text } from "node:stream/consumers"
import { withoutEmptyWrites } from "../../../src/tunnel/empty-writes.ts"

let home: Http2Server
let tunnel: ClientHttp2Session

beforeEach(async () => {
  home = createServer().listen(0, "127.0.0.1")
  home.on("stream", (stream) => {
    stream.respond({ ":status": 200 })
    stream.pipe(stream)
  })
  await once(home, "listening")
  tunnel = connect(`http://127.0.0.1:${(home.address() as AddressInfo).port}`)
})

afterEach(() => {
  tunnel.destroy()
  home.close()
})

const HEAD = `POST /note HTTP/1.1\r\nHost: alice.example\r\nX-Long: ${"a".repeat(150)}\r\n\r\n`

test("a request as node:http writes it, with an empty piece behind, arrives as it was", async () => {
  const stream = withoutEmptyWrites(tunnel.request({ ":method": "POST", ":path": "/" }, { endStream: false }))
  await once(tunnel, "connect")
  stream.cork()
  stream.write(HEAD, "latin1")
  stream.write(Buffer.from("Meet me at noon"))
  const done = new Promise((resolve) => stream.write("", "latin1", resolve))
  stream.uncork()
  await done
  stream.end()
  expect(await text(stream)).toBe(`${HEAD}Meet me at noon`)
})

test("nothing but empty pieces is done all the same, alone and together", async () => {
  const stream = withoutEmptyWrites(tunnel.request({ ":method": "POST", ":path": "/" }, { endStream: false }))
  await new Promise((resolve) => stream.write("", resolve))
  stream.cork()
  stream.write("")
  const done = new Promise((resolve) => stream.write(Buffer.alloc(0), resolve))
  stream.uncork()
  await done
  stream.end("x")
  expect(await text(stream)).toBe("x")
})
