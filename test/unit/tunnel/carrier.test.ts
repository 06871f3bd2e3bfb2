import { expect, test } from "@jest/globals"
import { assert as holds, property, uint8Array } from "fast-check"
import { randomBytes } from "node:crypto"
import { socketAddress, type SocketAddress } from "../../../src/names/endpoint.ts"
import {
  beginsAsCarrier,
  carrierHeader,
  greeting,
  readCarrierHeader,
  readGreeting,
  readTicket,
  ticket,
  ticketText,
  type Ticket,
} from "../../../src/tunnel/carrier.ts"
import { serviceName, type ServiceName, type StreamRequest } from "../../../src/tunnel/wire.ts"

const mine = ticket(randomBytes)
const only =
  (known: Ticket) =>
  (id: string): Ticket | undefined =>
    id === known.id.toString("hex") ? known : undefined
const request: StreamRequest = {
  service: serviceName("https") as ServiceName,
  remote: socketAddress("192.0.2.9:51000") as SocketAddress,
  local: socketAddress("198.51.100.10:443") as SocketAddress,
  serverName: undefined,
  alpn: ["h2"],
}

test("a ticket survives being handed out as text, and other text is none", () => {
  expect(readTicket(ticketText(mine))).toEqual(mine)
  expect(readTicket(ticketText(mine).slice(1))).toBeUndefined()
})

test("a greeting is read whole, byte by byte, and with the next bytes behind it", () => {
  const bytes = greeting(mine)
  for (let end = 0; end < bytes.length; end++) {
    expect(readGreeting(bytes.subarray(0, end), only(mine))).toEqual({ kind: "need-more" })
  }
  const more = Buffer.concat([bytes, Buffer.from("more")])
  expect(readGreeting(more, only(mine))).toEqual({ kind: "value", value: mine, consumedBytes: bytes.length })
})

test("a greeting with somebody else's ticket, or with a proof that is not the key's, is refused", () => {
  const forged = greeting({ id: mine.id, key: randomBytes(32) })
  expect(readGreeting(greeting(ticket(randomBytes)), only(mine))).toEqual({ kind: "refused", why: "unknown-ticket" })
  expect(readGreeting(forged, only(mine))).toEqual({ kind: "refused", why: "forged" })
})

test("what has begun as a carrier is told from the first byte on", () => {
  const bytes = greeting(mine)
  for (const end of [1, 2, 4, 5]) expect(beginsAsCarrier(bytes.subarray(0, end))).toBe(true)
})

test.each([
  ["nothing", []],
  ["TLS", [0x16]],
  ["PROXY", [0x50]],
  ["nothing like it", [0x00, 0x57, 0x51]],
])("%s does not begin as a carrier", (_what, bytes) => {
  expect(beginsAsCarrier(Uint8Array.from(bytes))).toBe(false)
})

test("the header is read byte by byte, with the visitor's bytes behind it", () => {
  const bytes = carrierHeader(request, mine)
  for (let end = 0; end < bytes.length; end++) {
    expect(readCarrierHeader(bytes.subarray(0, end), mine)).toEqual({ kind: "need-more" })
  }
  const more = Buffer.concat([bytes, Buffer.from("\x16\x03\x01")])
  expect(readCarrierHeader(more, mine)).toEqual({ kind: "value", value: request, consumedBytes: bytes.length })
})

test("a header in which anybody on the path changed one byte is refused", () => {
  const bytes = carrierHeader(request, mine)
  for (let at = 2; at < bytes.length; at++) {
    const changed = Buffer.from(bytes)
    changed.writeUInt8(changed.readUInt8(at) ^ 1, at)
    expect(readCarrierHeader(changed, mine)).toEqual({ kind: "refused", why: "forged" })
  }
})

test("no bytes make the readers throw", () => {
  holds(property(uint8Array({ maxLength: 200 }), (bytes) => void readGreeting(bytes, only(mine))))
  holds(property(uint8Array({ maxLength: 200 }), (bytes) => void readCarrierHeader(bytes, mine)))
})
