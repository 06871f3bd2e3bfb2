/** A name server with a few records, on a UDP port of loopback, for whoever asks by himself: threads and processes. */
import { createSocket } from "node:dgram"
import { once } from "node:events"
import { readName } from "../../src/dns/name.ts"
import { TYPES } from "../../src/dns/message.ts"
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"
import type { SocketAddress } from "../../src/names/endpoint.ts"

/**
 * `"sender.example TXT": ["v=spf1 -all"]`. A: addresses. TXT: texts. MX: names, all of preference 10. `servfail` and `silent`
 * instead of a list: what it says, and that it says nothing. What is not in it does not exist.
 */
export type Zone = Readonly<Record<string, readonly string[] | "servfail" | "silent">>

export type NameServer = AsyncDisposable & {
  readonly at: SocketAddress
  /** "name TYPE", in order. */
  readonly asked: readonly string[]
  zone: Zone
}

const NO_SUCH_NAME = 3
const SERVFAIL = 2
const TTL_SECONDS = 60

export async function nameServer(zone: Zone = {}): Promise<NameServer> {
  const asked: string[] = []
  const server: { zone: Zone } = { zone }
  const socket = createSocket("udp4", (query, from) => {
    const question = readName(query, 12)
    const type = typeName(query.readUInt16BE(question?.end ?? 0))
    asked.push(`${question?.name} ${type}`)
    const records = server.zone[`${question?.name} ${type}`]
    if (records !== "silent" && question)
      socket.send(answer(query.subarray(0, question.end + 4), records, type), from.port, from.address)
  })
  socket.bind(0, "127.0.0.1")
  await once(socket, "listening")
  return Object.assign(server, {
    at: { address: ipAddress("127.0.0.1") as IpAddress, port: socket.address().port },
    asked,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => socket.close(() => resolve())),
  })
}

function typeName(type: number): keyof typeof TYPES | undefined {
  const names = Object.keys(TYPES) as (keyof typeof TYPES)[]
  return names.find((name) => TYPES[name] === type)
}

/** `question`: the query up to the end of its question. */
function answer(question: Uint8Array, records: Zone[string] | undefined, type: keyof typeof TYPES | undefined): Buffer {
  const list = Array.isArray(records) ? (records as readonly string[]) : []
  const rcode = records === "servfail" ? SERVFAIL : records === undefined ? NO_SUCH_NAME : 0
  const head = Buffer.from(question)
  head.writeUInt16BE(0x8180 | rcode, 2)
  head.writeUInt16BE(list.length, 6)
  head.writeUInt16BE(0, 10)
  return Buffer.concat([head, ...list.map((text) => record(type, text))])
}

function record(type: keyof typeof TYPES | undefined, text: string): Buffer {
  const data = dataOf(type, text)
  const fixed = Buffer.alloc(12)
  fixed.writeUInt16BE(0xc00c, 0) // the name in the question
  fixed.writeUInt16BE(TYPES[type ?? "TXT"], 2)
  fixed.writeUInt16BE(1, 4)
  fixed.writeUInt32BE(TTL_SECONDS, 6)
  fixed.writeUInt16BE(data.length, 10)
  return Buffer.concat([fixed, data])
}

function dataOf(type: keyof typeof TYPES | undefined, text: string): Buffer {
  if (type === "A") return Buffer.from(text.split(".").map(Number))
  if (type === "MX") return Buffer.concat([Buffer.of(0, 10), wireName(text)])
  const strings = text.match(/[^]{1,255}/g) ?? [""]
  return Buffer.concat(strings.map((string) => Buffer.concat([Buffer.of(string.length), Buffer.from(string)])))
}

function wireName(name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.of(label.length), Buffer.from(label)]))
  return Buffer.concat([...labels, Buffer.of(0)])
}
