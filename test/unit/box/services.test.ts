import { expect, test } from "@jest/globals"
import { once } from "node:events"
import { createServer, type Server } from "node:net"
import { Duplex, PassThrough } from "node:stream"
import { text } from "node:stream/consumers"
import { javascriptEngine } from "../../../src/net/engine-js.ts"
import { servicesOf } from "../../../src/box/services.ts"
import { silentLog } from "../../../src/log/log.ts"
import { endpoint, socketAddress, type Endpoint, type SocketAddress } from "../../../src/names/endpoint.ts"
import { serviceName, type ServiceName, type StreamRequest } from "../../../src/tunnel/wire.ts"

const request = (service: string): StreamRequest => ({
  service: serviceName(service) as ServiceName,
  remote: socketAddress("192.0.2.9:51000") as SocketAddress,
  local: socketAddress("198.51.100.10:443") as SocketAddress,
  serverName: undefined,
  alpn: [],
})

/** A server at home that says back what it heard, behind "heard: ". */
async function atHome(): Promise<{ readonly server: Server; readonly to: Endpoint }> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    void text(socket).then((heard) => socket.end(`heard: ${heard}`))
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return { server, to: endpoint(`127.0.0.1:${(server.address() as { port: number }).port}`) as Endpoint }
}

/** The relay's stream: what the visitor says, and what comes back to them. */
function visitor(says: string): { readonly stream: Duplex; readonly hears: Promise<string> } {
  const toVisitor = new PassThrough()
  const fromVisitor = new PassThrough()
  fromVisitor.end(says)
  return { stream: Duplex.from({ readable: fromVisitor, writable: toVisitor }), hears: text(toVisitor) }
}

test("a listed service is reached, and is told the visitor's address where it wants a PROXY header", async () => {
  const { server, to } = await atHome()
  const serve = servicesOf(
    new Map([["https", { to, proxy: "v1" as const, probe: true }]]),
    javascriptEngine({ log: silentLog }),
    silentLog,
  )
  const { stream, hears } = visitor("hello")
  expect(await serve(request("https"), () => stream, "tunnel")).toBe(true)
  expect(await hears).toBe("heard: PROXY TCP4 192.0.2.9 198.51.100.10 51000 443\r\nhello")
  server.close()
})

test("what is not listed is refused, and the stream is not even opened", async () => {
  const serve = servicesOf(new Map(), javascriptEngine({ log: silentLog }), silentLog)
  expect(await serve(request("router"), () => expect(true).toBe(false) as never, "tunnel")).toBe(false)
})

test("a service that is down is a fault", async () => {
  const serve = servicesOf(
    new Map([["https", { to: endpoint("127.0.0.1:1") as Endpoint, proxy: "none" as const, probe: true }]]),
    javascriptEngine({ log: silentLog }),
    silentLog,
  )
  await expect(serve(request("https"), () => expect(true).toBe(false) as never, "tunnel")).rejects.toMatchObject({
    fault: { code: "BACKEND_REFUSES" },
  })
})
