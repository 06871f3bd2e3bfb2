/**
 * 10,000 garbled handshakes and frames at the tunnel's door: a recorded handshake with bytes changed, cut or repeated,
 * and true TLS sessions that then speak broken HTTP/2. The relay must not end, claim anything for them, or keep
 * descriptors; and a box that comes afterwards gets in.
 */
import { afterAll, beforeAll, expect, test } from "@jest/globals"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import { readdirSync } from "node:fs"
import { connect as connectTcp, createServer, type Server, type Socket } from "node:net"
import { connect as connectTls } from "node:tls"
import { systemClock } from "../../src/clock/clock.ts"
import { silentLog } from "../../src/log/log.ts"
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"
import { boxEnd } from "../../src/tunnel/box-end.ts"
import { tunnelDoor } from "../../src/tunnel/door.ts"
import { pinOf } from "../../src/tunnel/pin.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"

const HANDSHAKES = 8_000
const SESSIONS = 2_000
const AT_ONCE = 50
const SEED = 20_261_121

let relay: KeyPair
let server: Server
let port: number
const claims: string[] = []

beforeAll(async () => {
  relay = await keyPair("relay.bob.example")
  const door = tunnelDoor({
    ...relay,
    friendOf: async () => undefined,
    redeem: async (secret) => {
      claims.push(secret)
      return secret === "the-right-one" ? "alice" : undefined
    },
    verdictsFor: () => "[]",
    attached: () => {},
    clock: systemClock,
    log: silentLog,
  })
  server = createServer({ allowHalfOpen: true }, (socket) => door.accept(socket)).listen(0, "127.0.0.1")
  await once(server, "listening")
  port = (server.address() as { port: number }).port
})
afterAll(() => void server.close())

/** xorshift32: the same garbage every time. */
function dice(seed: number): () => number {
  let state = seed
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 0x1_0000_0000
  }
}

const roll = dice(SEED)
const below = (limit: number) => Math.floor(roll() * limit)

function garbled(bytes: Buffer): Buffer {
  const changed = Buffer.from(bytes.subarray(0, 1 + below(bytes.length)))
  for (let n = below(8); n > 0; n--) changed[below(changed.length)] = below(256)
  return roll() < 0.1 ? Buffer.concat([changed, changed]) : changed
}

test(`${HANDSHAKES} garbled handshakes and ${SESSIONS} sessions of broken frames leave nothing behind`, async () => {
  const hello = await recordedHello()
  const before = openDescriptors()
  await inBatches(HANDSHAKES, () => sendAndHangUp(connectTcp(port, "127.0.0.1"), garbled(hello)))
  const box = await keyPair("stranger")
  await inBatches(SESSIONS, () => speakBrokenHttp2(box))
  await quiet(before)
  expect(claims.filter((secret) => secret === "the-right-one")).toEqual([])

  const mine = await keyPair("box")
  const end = await boxEnd({
    ...mine,
    relay: { host: ipAddress("127.0.0.1") as IpAddress, port },
    relayPin: pinOf(new X509Certificate(relay.cert)),
    claim: "the-right-one",
    accepts: () => true,
    serve: async () => false,
    carriers: false,
    asks: false,
    clock: systemClock,
  })
  end.close()
  expect(claims).toContain("the-right-one")
}, 300_000)

/** The first flight of a real box. */
async function recordedHello(): Promise<Buffer> {
  const listener = createServer().listen(0, "127.0.0.1")
  await once(listener, "listening")
  const tls = connectTls({
    port: (listener.address() as { port: number }).port,
    host: "127.0.0.1",
    ALPNProtocols: ["waypost/1"],
  })
  tls.on("error", () => {})
  const [socket] = (await once(listener, "connection")) as [Socket]
  const [bytes] = (await once(socket, "data")) as [Buffer]
  socket.destroy()
  tls.destroy()
  listener.close()
  return bytes
}

async function inBatches(count: number, one: () => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, one))
}

/** Whether the door hangs up or waits for more is its business; after our FIN it must let go. */
async function sendAndHangUp(socket: Socket, bytes: Buffer): Promise<void> {
  socket.on("error", () => {})
  socket.resume()
  socket.end(bytes)
  await new Promise((resolve) => socket.once("close", resolve))
}

async function speakBrokenHttp2(pair: KeyPair): Promise<void> {
  const tls = connectTls({ ...pair, port, host: "127.0.0.1", rejectUnauthorized: false, ALPNProtocols: ["waypost/1"] })
  tls.on("error", () => {})
  const closed = new Promise((resolve) => tls.once("close", resolve))
  tls.once("secureConnect", () => {
    tls.resume()
    tls.end(frames())
  })
  await closed
}

/** SETTINGS as a server owes it, sometimes; then frames with lengths, types, flags and streams by chance. */
function frames(): Buffer {
  const settings = Buffer.from("000000040000000000", "hex")
  const noise = Array.from({ length: 1 + below(5) }, () => {
    const content = Buffer.from(Array.from({ length: below(60) }, () => below(256)))
    const head = Buffer.from([0, 0, below(80), below(12), below(256), 0, 0, 0, below(8)])
    return Buffer.concat([head, content])
  })
  return Buffer.concat(roll() < 0.7 ? [settings, ...noise] : noise)
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length
}

/** Descriptors are back to where they were; closing takes the event loop a few turns. */
async function quiet(before: number): Promise<void> {
  for (let tries = 0; openDescriptors() > before + 5; tries++) {
    if (tries > 200) throw new Error(`${openDescriptors()} descriptors are open; before there were ${before}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}
