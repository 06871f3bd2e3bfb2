import { afterEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { X509Certificate } from "node:crypto"
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net"
import { text } from "node:stream/consumers"
import { connect as connectTls } from "node:tls"
import type { Duplex } from "node:stream"
import { systemClock } from "../../../src/clock/clock.ts"
import { silentLog } from "../../../src/log/log.ts"
import { socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"
import { boxEnd, type BoxEnd, type BoxEndOptions } from "../../../src/tunnel/box-end.ts"
import { tunnelDoor, type DoorOptions } from "../../../src/tunnel/door.ts"
import { pinOf, type Pin } from "../../../src/tunnel/pin.ts"
import type { RelayEnd } from "../../../src/tunnel/relay-end.ts"
import { serviceName, type StreamRequest } from "../../../src/tunnel/wire.ts"
import { eventually } from "../../support/eventually.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"
import { silentNetwork } from "../../support/silent-network.ts"

const loopback = ipAddress("127.0.0.1") as IpAddress
const somewhere = socketAddress("192.0.2.9:50000") as SocketAddress
const wants = (service: string): StreamRequest => ({
  service: serviceName(service) as NonNullable<ReturnType<typeof serviceName>>,
  remote: somewhere,
  local: somewhere,
  serverName: undefined,
  alpn: [],
})
const pinFor = (pair: KeyPair): Pin => pinOf(new X509Certificate(pair.cert))

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

async function relay(overrides: Partial<DoorOptions> = {}) {
  const pair = await keyPair("relay.bob.example")
  const attached = Promise.withResolvers<{ friend: string; box: RelayEnd }>()
  const door = tunnelDoor({
    ...pair,
    friendOf: async () => "alice",
    redeem: async () => undefined,
    verdictsFor: (friend) => `[{"friend":"${friend}"}]`,
    attached: (friend, box) => attached.resolve({ friend, box }),
    clock: systemClock,
    log: silentLog,
    ...overrides,
  })
  const server = createServer({ allowHalfOpen: true }, (socket) => door.accept(socket)).listen(0, "127.0.0.1")
  await once(server, "listening")
  closers.push(() => server.close())
  return { server, pair, endpoint: { host: loopback, port: port(server) }, attached: attached.promise }
}

function port(server: Server): number {
  return (server.address() as { port: number }).port
}

type Relay = Awaited<ReturnType<typeof relay>>

async function box(to: Relay, overrides: Partial<BoxEndOptions> = {}): Promise<BoxEnd> {
  const pair = await keyPair("box")
  const end = await boxEnd({
    ...pair,
    relay: to.endpoint,
    relayPin: pinFor(to.pair),
    claim: undefined,
    accepts: () => true,
    serve: serveEcho,
    carriers: false,
    asks: false,
    clock: systemClock,
    ...overrides,
  })
  closers.push(() => end.close())
  return end
}

async function serveEcho(request: StreamRequest, opened: () => Duplex): Promise<boolean> {
  if (request.service === "down") throw new Error("connection refused")
  if (request.service !== "echo") return false
  const stream = opened()
  stream.pipe(stream)
  return true
}

test("a box attaches, and a connection reaches its service and comes back, half-closed", async () => {
  const bob = await relay()
  await box(bob)
  const { friend, box: alice } = await bob.attached
  expect(friend).toBe("alice")
  const stream = alice.open(wants("echo"))
  stream.end("hello from outside")
  expect(await text(stream)).toBe("hello from outside")
})

test("a box hears how its owner's senders come; one that does not listen says so", async () => {
  const bob = await relay()
  const heard: string[] = []
  await box(bob, { senders: (counts) => void heard.push(counts) })
  expect(await (await bob.attached).box.tellSenders("{}")).toBe(true)
  expect(heard).toEqual(["{}"])
  const deaf = await relay()
  await box(deaf)
  expect(await (await deaf.attached).box.tellSenders("{}")).toBe(false)
})

test.each(["down", "printer"])(
  "a service %s ends the stream with a fault and leaves the tunnel alone",
  async (service) => {
    const bob = await relay()
    await box(bob)
    const { box: alice } = await bob.attached
    const [error] = await once(alice.open(wants(service)), "error")
    expect(error).toMatchObject({ fault: { code: "BACKEND_REFUSES" } })
    const stream = alice.open(wants("echo"))
    stream.end("still here")
    expect(await text(stream)).toBe("still here")
  },
)

test("a box that the relay does not know joins with its invitation's secret, and its key is handed over", async () => {
  const redeemed: [string, Pin][] = []
  const bob = await relay({
    friendOf: async () => undefined,
    redeem: async (secret, pin) => {
      redeemed.push([secret, pin])
      return "alice"
    },
  })
  const mine = await keyPair("box")
  await box(bob, { ...mine, claim: "once-only" })
  expect(redeemed).toEqual([["once-only", pinFor(mine)]])
})

test("a box that leaves as soon as it is in has still given its answer", async () => {
  const bob = await relay()
  const alice = await box(bob)
  await alice.leave()
  expect((await bob.attached).friend).toBe("alice")
})

test("a stranger without invitation does not get in", async () => {
  const bob = await relay({ friendOf: async () => undefined })
  await expect(box(bob)).rejects.toThrow("did not let this box in: it does not know this box's key")
})

test("a stranger with a spent invitation does not get in", async () => {
  const bob = await relay({ friendOf: async () => undefined })
  await expect(box(bob, { claim: "spent" })).rejects.toThrow("did not let this box in: the invitation was used")
})

test("a relay that shows another key than the pinned one is refused before anything is said", async () => {
  const bob = await relay()
  const other = await keyPair("relay.bob.example")
  await expect(box(bob, { relayPin: pinFor(other) })).rejects.toThrow("it shows another key")
})

test("a verdict that breaks the owner's promise keeps the box away", async () => {
  const bob = await relay()
  await expect(box(bob, { accepts: () => false })).rejects.toThrow("breaks this box's promise")
})

test("the box hears when the relay drains, and a running stream ends in peace", async () => {
  const bob = await relay()
  const end = await box(bob)
  const { box: alice } = await bob.attached
  const stream = alice.open(wants("echo"))
  stream.write("begun ")
  await once(stream, "readable")
  const drained = alice.drain()
  await end.leaving
  stream.end("and finished")
  expect(await text(stream)).toBe("begun and finished")
  await drained
  expect(await end.gone).toBe("closed")
})

test("a tunnel takes no more streams once the box leaves, and the running one ends in peace", async () => {
  const bob = await relay()
  const end = await box(bob)
  const { box: alice } = await bob.attached
  const stream = alice.open(wants("echo"))
  stream.write("begun ")
  await once(stream, "readable")
  expect(alice.takesStreams).toBe(true)
  void end.leave()
  await eventually("the relay has heard it", () => !alice.takesStreams)
  stream.end("and finished")
  expect(await text(stream)).toBe("begun and finished")
})

test("a tunnel that was drained and whose other end fell silent is gone as soon as it is closed", async () => {
  const bob = await relay()
  await using network = await silentNetwork(bob.endpoint.port)
  const alice = await box(bob, { relay: { ...bob.endpoint, port: network.port } })
  const { box: atRelay } = await bob.attached
  const stream = atRelay.open(wants("echo")).on("error", () => {})
  stream.write("held open")
  await once(stream, "data")
  network.fallSilent()
  void atRelay.drain()
  void alice.leave()
  atRelay.close()
  alice.close()
  await Promise.all([atRelay.gone, alice.gone])
})

test("a blocked reader does not delay another stream", async () => {
  const bob = await relay()
  const flood = Buffer.alloc(4 * 1024 * 1024, 7)
  await box(bob, {
    serve: async (request, opened) => {
      const stream = opened()
      stream.end(request.service === "flood" ? flood : "quick")
      return true
    },
  })
  const { box: alice } = await bob.attached
  const blocked = Array.from({ length: 40 }, () => alice.open(wants("flood")))
  await Promise.all(blocked.map((stream) => once(stream, "readable")))
  expect(await text(alice.open(wants("quick")))).toBe("quick")
  for (const stream of blocked) stream.destroy()
})

test("garbage at the door ends that connection only", async () => {
  const bob = await relay()
  const noise = Array.from({ length: 20 }, (_, n) => Buffer.alloc(50 + n, n * 13))
  await Promise.all(noise.map((bytes) => hungUp(connectTcp(bob.endpoint.port, "127.0.0.1"), bytes)))
  await box(bob)
  expect((await bob.attached).friend).toBe("alice")
})

test("a TLS client of another protocol is hung up on", async () => {
  const bob = await relay()
  const tls = connectTls({
    port: bob.endpoint.port,
    host: "127.0.0.1",
    rejectUnauthorized: false,
    ALPNProtocols: ["h2"],
  })
  tls.on("error", () => {})
  await new Promise((resolve) => tls.once("close", resolve))
})

async function hungUp(socket: Socket, bytes: Buffer): Promise<void> {
  socket.on("error", () => {})
  socket.write(bytes)
  socket.resume()
  await new Promise((resolve) => socket.once("close", resolve))
}
