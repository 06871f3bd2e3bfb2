import { afterEach, expect, test } from "@jest/globals"
import { X509Certificate } from "node:crypto"
import { once } from "node:events"
import { createServer, type AddressInfo, type Server } from "node:net"
import { assert as holds, maxSafeNat, property, string, uint8Array } from "fast-check"
import { systemClock } from "../../../src/clock/clock.ts"
import { silentLog } from "../../../src/log/log.ts"
import { boxEnd } from "../../../src/tunnel/box-end.ts"
import { tunnelDoor } from "../../../src/tunnel/door.ts"
import { pinOf } from "../../../src/tunnel/pin.ts"
import type { RelayEnd } from "../../../src/tunnel/relay-end.ts"
import { readTransferHead, transferHead, TRANSFER_TEXT_BYTES_MAX, type Takes } from "../../../src/tunnel/transfer.ts"
import { serviceName, type ServiceName } from "../../../src/tunnel/wire.ts"
import { eventually } from "../../support/eventually.ts"
import { keyPair } from "../../support/key-pair.ts"
import { LOOPBACK } from "../../support/loopback.ts"

const SMTP = serviceName("smtp") as ServiceName
const NEVER = new AbortController().signal

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** The relay's end of a tunnel to a box that takes like this; without `takes` one that knows no transfers. */
async function tunnelTo(takes?: Takes): Promise<RelayEnd> {
  const [bob, alice] = [await keyPair("relay.bob.example"), await keyPair("box")]
  const attached = Promise.withResolvers<RelayEnd>()
  const door = tunnelDoor({
    ...bob,
    friendOf: async () => "alice",
    redeem: async () => undefined,
    verdictsFor: () => "{}",
    attached: (_, box) => attached.resolve(box),
    clock: systemClock,
    log: silentLog,
  })
  const server: Server = createServer((socket) => door.accept(socket)).listen(0, "127.0.0.1")
  await once(server, "listening")
  const end = await boxEnd({
    ...alice,
    relay: { host: LOOPBACK.address, port: (server.address() as AddressInfo).port },
    relayPin: pinOf(new X509Certificate(bob.cert)),
    claim: undefined,
    accepts: () => true,
    serve: async () => false,
    ...(takes && { takes }),
    carriers: false,
    asks: false,
    clock: systemClock,
  })
  closers.push(
    () => server.close(),
    () => end.close(),
  )
  return attached.promise
}

function taking(take: Takes["take"], offered: boolean | undefined = true): Takes {
  return { offers: async () => offered, take }
}

/** What is handed over. */
const handed = (about: string, content: AsyncIterable<Uint8Array>, contentBytes = 1) => {
  return { service: SMTP, about, contentBytes, content, signal: NEVER }
}

async function* pieces(...texts: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function whole(content: AsyncIterable<Uint8Array>): Promise<string> {
  const read: Uint8Array[] = []
  for await (const piece of content) read.push(piece)
  return Buffer.concat(read).toString()
}

test("what is handed over arrives whole, with its description, and the answer comes back", async () => {
  const long = "0123456789".repeat(300_000)
  const relay = await tunnelTo(
    taking(async ({ service, about, content }) => `${service} ${about} ${(await whole(content)).length}`),
  )
  expect(await relay.takesTransfers(SMTP)).toBe(true)
  expect(await relay.handOver(handed("zażółć", pieces(long, long), 6_000_000))).toBe("smtp zażółć 6000000")
})

test("content that the box does not want does not cross the network", async () => {
  const relay = await tunnelTo(taking(async () => "known"))
  let read = 0
  const content = (async function* () {
    read += 1
    yield Buffer.from("x")
  })()
  expect(await relay.handOver(handed("{}", content))).toBe("known")
  expect(read).toBe(0)
})

test("an answer in the middle of the content ends it", async () => {
  const relay = await tunnelTo(
    taking(async ({ content }) => {
      await content[Symbol.asyncIterator]().next()
      return "enough"
    }),
  )
  const endless = (async function* () {
    for (;;) yield Buffer.alloc(65_536)
  })()
  expect(await relay.handOver(handed("{}", endless, 1e12))).toBe("enough")
})

test.each([
  ["breaks in the middle", "content"],
  ["is taken back", "signal"],
  ["is cut off with its tunnel", "tunnel"],
])("content that %s does not look whole to the box", async (_, how) => {
  const seen: string[] = []
  const relay = await tunnelTo(
    taking(async ({ content }) => {
      await whole(content).then(
        () => seen.push("whole"),
        () => seen.push("cut off"),
      )
      return "{}"
    }),
  )
  const back = new AbortController()
  const content = (async function* () {
    yield Buffer.from("the first half")
    await eventually("it is on its way", () => relay.streams >= 0)
    if (how === "signal") back.abort()
    if (how === "tunnel") relay.close()
    if (how === "content") throw new Error("the spool cannot be read")
    await new Promise(() => {})
  })()
  const over = relay.handOver({ ...handed("{}", content, 100), signal: back.signal })
  await expect(over).rejects.toThrow()
  await eventually("the box has noticed", () => seen.length > 0)
  expect(seen).toEqual(["cut off"])
})

test("a box without transfers, and one without that service, say so; a service that is down is a fault", async () => {
  expect(await (await tunnelTo()).takesTransfers(SMTP)).toBe(false)
  const knows = (offered: boolean | undefined) => tunnelTo({ offers: async () => offered, take: async () => undefined })
  expect(await (await knows(undefined)).takesTransfers(SMTP)).toBe(false)
  await expect((await knows(false)).takesTransfers(SMTP)).rejects.toMatchObject({ fault: { code: "BACKEND_REFUSES" } })
})

test("a description that makes no sense to the box is no answer", async () => {
  const relay = await tunnelTo(taking(async () => undefined))
  await expect(relay.handOver(handed("?", pieces()))).rejects.toThrow("the box answers the transfer with 400")
})

test("a head is read whole, byte by byte, and with content behind it", () => {
  holds(
    property(string({ unit: "binary" }), maxSafeNat(), uint8Array(), (about, contentBytes, behind) => {
      const head = transferHead({ about, contentBytes })
      const read = readTransferHead(Buffer.concat([head, behind]))
      const value = { about: Buffer.from(about).toString(), contentBytes }
      expect(read).toEqual({ kind: "value", value, consumedBytes: head.length })
      for (let end = 0; end < head.length; end++) expect(readTransferHead(head.subarray(0, end)).kind).toBe("need-more")
    }),
  )
})

test("a head that is too long is refused before it comes; nothing makes the reader throw", () => {
  const length = Buffer.alloc(12)
  length.writeUInt32BE(TRANSFER_TEXT_BYTES_MAX + 1)
  expect(readTransferHead(length)).toEqual({ kind: "refused", why: "too long" })
  holds(property(uint8Array(), (bytes) => void readTransferHead(bytes)))
})
