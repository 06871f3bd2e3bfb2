/** The contract with Node: the members of its TCP handle that are in no documentation. */
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { Duplex } from "node:stream"
import { plainSocket } from "../../../src/net/plain-socket.ts"
import { eventually } from "../../support/eventually.ts"

let server: Server
let near: Socket
let far: Socket

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1")
  await once(server, "listening")
  far = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true })
  ;[near] = (await once(server, "connection")) as [Socket]
})
afterEach(() => {
  near.destroy()
  far.destroy()
  server.close()
})

test("a TCP socket of Node has a descriptor, and what it has read is handed out once", async () => {
  near.pause()
  far.write("hello")
  await eventually("it was read", () => {
    near.read(0) // has Node fill its buffer
    return near.readableLength === 5
  })
  const plain = plainSocket(near)
  expect(plain?.descriptor).toBeGreaterThan(2)
  expect(Buffer.from(plain?.take() ?? []).toString()).toBe("hello")
  far.write(" again")
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(near.readableLength).toBe(0) // Node reads no more: the bytes are the engine's
})

test("one that has ended, is being written to, or is no socket is none", () => {
  expect(plainSocket(Duplex.from("hello"))).toBeUndefined()
  near.cork()
  near.write("wait")
  expect(plainSocket(near)).toBeUndefined()
  near.uncork()
  near.end()
  expect(plainSocket(near)).toBeUndefined()
})

test("Node reads no more, even where it had stopped before because its buffer was full", async () => {
  near.pause()
  far.write(Buffer.alloc(1_048_576))
  await eventually("its buffer is full", () => {
    near.read(0)
    return near.readableLength >= near.readableHighWaterMark
  })
  expect(plainSocket(near)?.take().length).toBeGreaterThanOrEqual(near.readableHighWaterMark)
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(near.readableLength).toBe(0)
})
