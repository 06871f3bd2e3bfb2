import { afterEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { connect, createServer, type Socket } from "node:net"
import { Duplex } from "node:stream"
import { splice } from "../../../src/net/splice.ts"
import { Peer } from "../../support/peer.ts"

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A TCP connection: the end that a test plays, and the end that is spliced. */
async function pair(): Promise<{ readonly peer: Peer; readonly spliced: Socket }> {
  const server = createServer({ allowHalfOpen: true }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const socket = connect({ port: (server.address() as { port: number }).port, host: "127.0.0.1", allowHalfOpen: true })
  const [spliced] = (await once(server, "connection")) as [Socket]
  server.close()
  closers.push(() => socket.destroy())
  return { peer: new Peer(socket), spliced }
}

test("bytes pass both ways, each direction ends on its own, and the bytes are counted", async () => {
  const [alice, bob] = await Promise.all([pair(), pair()])
  const ended = splice(alice.spliced, bob.spliced)
  alice.peer.finish("my question")
  await bob.peer.hears("my question")
  bob.peer.finish("and the answer")
  await alice.peer.hears("and the answer")
  expect(await ended).toEqual({ leftToRightBytes: 11, rightToLeftBytes: 14, how: "both-finished" })
})

test.each(["left", "right"] as const)("a reset from the %s is a reset on the other side", async (side) => {
  const [left, right] = await Promise.all([pair(), pair()])
  const ended = splice(left.spliced, right.spliced)
  left.peer.say("hello")
  await right.peer.hears("hello")
  const [resetting, other] = side === "left" ? [left.peer, right.peer] : [right.peer, left.peer]
  resetting.reset()
  expect(await ended).toMatchObject({ how: `${side}-broke` })
  await new Promise((resolve) => (other.closed ? resolve(0) : other.socket.once("close", resolve)))
  expect(other.error).toBe("ECONNRESET")
})

test("a stream that is not a socket is destroyed when the socket breaks", async () => {
  const { peer, spliced } = await pair()
  const stream = new Duplex({ read() {}, write: (_piece, _encoding, done) => done() })
  const ended = splice(spliced, stream)
  peer.reset()
  expect(await ended).toMatchObject({ how: "left-broke" })
  expect(stream.destroyed).toBe(true)
})

test("what comes in many pieces in one turn is written together, the first of them at once", async () => {
  const writes: string[][] = []
  const right = new Duplex({
    read() {},
    write: (piece, _encoding, done) => {
      writes.push([String(piece)])
      done()
    },
    writev: (pieces, done) => {
      writes.push(pieces.map(({ chunk }) => String(chunk)))
      done()
    },
  })
  const left = new Duplex({ read() {}, write: (_piece, _encoding, done) => done() })
  const ended = splice(left, right)
  for (const piece of ["a", "b", "c", null]) left.push(piece)
  right.push(null)
  expect(await ended).toMatchObject({ leftToRightBytes: 3, how: "both-finished" })
  expect(writes).toEqual([["a"], ["b", "c"]])
})

test("silence for too long ends it", async () => {
  const [left, right] = await Promise.all([pair(), pair()])
  expect(await splice(left.spliced, right.spliced, { idleDeadlineMs: 50 })).toMatchObject({ how: "idle" })
})

test("it can be cut at any moment, also before it began", async () => {
  const [left, right] = await Promise.all([pair(), pair()])
  expect(await splice(left.spliced, right.spliced, { signal: AbortSignal.abort() })).toMatchObject({ how: "cancelled" })
})

test("a stopped reader stops the sender", async () => {
  const [left, right] = await Promise.all([pair(), pair()])
  right.peer.socket.pause()
  void splice(left.spliced, right.spliced)
  for (let n = 0; n < 1024; n++) left.peer.say(Buffer.alloc(1 << 16)) // far more than both kernels hold
  await new Promise((resolve) => setTimeout(resolve, 300))
  expect(left.peer.socket.writableLength).toBeGreaterThan(0)
  expect(right.spliced.writableLength).toBeLessThan(1 << 20)
})
