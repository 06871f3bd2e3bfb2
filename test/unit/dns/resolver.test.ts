import { afterEach, expect, test } from "@jest/globals"
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { createServer } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { stubResolver, systemNameServers } from "../../../src/dns/resolver.ts"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"

const loopback = ipAddress("127.0.0.1") as IpAddress
const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** A name server that answers each datagram, and each TCP question on the same port, as the test says. */
async function nameServer(
  overUdp: (query: Buffer) => readonly Buffer[],
  overTcp: (query: Buffer) => Buffer = (query) => query,
) {
  const udp = createSocket("udp4", (query, from) => {
    for (const answer of overUdp(query)) udp.send(answer, from.port, from.address)
  })
  const tcp = createServer((socket) => {
    socket.on("error", () => {})
    socket.once("data", (framed: Buffer) => {
      const answer = overTcp(framed.subarray(2))
      const length = Buffer.of(answer.length >> 8, answer.length & 255)
      socket.write(length)
      socket.end(answer)
    })
  }).listen(0, "127.0.0.1")
  await once(tcp, "listening")
  const { port } = tcp.address() as { port: number }
  udp.bind(port, "127.0.0.1")
  await once(udp, "listening")
  closers.push(
    () => udp.close(),
    () => tcp.close(),
  )
  return stubResolver([{ address: loopback, port }])
}

const A_RECORD = Buffer.from("c00c000100010000003c0004c0000207", "hex")

/** The question turned into an answer: QR, RA, the flags asked for, and so many records. */
function answer(query: Buffer, flags = 0x81a0, records: readonly Buffer[] = [A_RECORD]): Buffer {
  const question = query.subarray(0, query.length - 11) // without our OPT record
  const head = Buffer.from(question)
  head.writeUInt16BE(flags, 2)
  head.writeUInt16BE(records.length, 6)
  head.writeUInt16BE(0, 10)
  return Buffer.concat([head, ...records])
}

test("a validated answer from this machine is secure, and one without AD is not", async () => {
  const validating = await nameServer((query) => [answer(query)])
  expect(await validating.resolve("alice.example", "A")).toEqual({
    kind: "records",
    secure: true,
    records: [{ type: "A", name: "alice.example", ttlSeconds: 60, address: "192.0.2.7" }],
  })
  const plain = await nameServer((query) => [answer(query, 0x8180)])
  expect(await plain.resolve("alice.example", "A")).toMatchObject({ kind: "records", secure: false })
})

test("a forged answer with another id is passed over, and the true one behind it is taken", async () => {
  const resolver = await nameServer((query) => {
    const forged = answer(query, 0x81a0, [Buffer.from("c00c000100010000003c000406060606", "hex")])
    forged.writeUInt16BE(query.readUInt16BE(0) ^ 1, 0)
    return [forged, answer(query)]
  })
  expect(await resolver.resolve("alice.example", "A")).toMatchObject({ records: [{ address: "192.0.2.7" }] })
})

test("what does not exist is none, securely or not", async () => {
  const resolver = await nameServer((query) => [answer(query, 0x81a3, [])])
  expect(await resolver.resolve("alice.example", "TLSA")).toEqual({ kind: "none", secure: true, noSuchName: true })
})

test("a resolver that fails is a failure and never an absence", async () => {
  const resolver = await nameServer((query) => [answer(query, 0x8182, [])])
  expect(await resolver.resolve("alice.example", "TLSA")).toEqual({
    kind: "failed",
    because: "127.0.0.1 answers with SERVFAIL",
    rcode: 2,
  })
})

test("a cut answer is asked for again over TCP", async () => {
  const resolver = await nameServer(
    (query) => [answer(query, 0x8380, [])],
    (query) => answer(query),
  )
  expect(await resolver.resolve("alice.example", "A")).toMatchObject({ kind: "records", secure: true })
})

test("a name server that is not there is a failure that names it", async () => {
  const resolver = stubResolver([{ address: loopback, port: 1 }])
  expect(await resolver.resolve("alice.example", "A")).toMatchObject({ kind: "failed" })
})

test("a name that cannot be asked for is a failure", async () => {
  const resolver = await nameServer(() => [])
  expect(await resolver.resolve(`${"a".repeat(64)}.example`, "A")).toMatchObject({ kind: "failed" })
})

test("the name servers are those of resolv.conf, or the one on this machine", async () => {
  const folder = await mkdtemp(join(tmpdir(), "waypost-dns-"))
  closers.push(() => void rm(folder, { recursive: true }))
  const file = join(folder, "resolv.conf")
  await writeFile(file, "# a comment\nnameserver 192.0.2.53\nnameserver 2001:db8::53\nsearch example\n")
  expect(await systemNameServers(file)).toEqual([
    { address: "192.0.2.53", port: 53 },
    { address: "2001:db8::53", port: 53 },
  ])
  expect(await systemNameServers(join(folder, "nothing"))).toEqual([{ address: "127.0.0.1", port: 53 }])
})
