/**
 * Carriers: plain TCP connections that the box dials ahead, for traffic that is already TLS end to end. They cost no
 * second encryption, and both ends may splice them in the kernel. Each is claimed once, with a ticket that the relay
 * handed out inside the tunnel: an id that says which one it is, and a key that never leaves the tunnel. The key proves
 * the box's greeting and the relay's header, so that nobody on the path can put words into them. Pure.
 */
import { createHmac, timingSafeEqual } from "node:crypto"
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import { readStreamRequest, streamHeaders, type StreamRequest } from "./wire.ts"

/** The first bytes of a carrier: never those of TLS (0x16), PROXY ("PROX", 0x0d) or a text protocol's command. */
const MAGIC = Buffer.from("\x00WP1", "latin1")
const ID_BYTES = 16
const KEY_BYTES = 32
/** HMAC-SHA-256, RFC 2104. */
const MAC_BYTES = 32
/** Ours: the headers of one connection; see wire.ts for their limits. */
const HEADER_BYTES_MAX = 8_192

/** Magic, id and proof. */
const GREETING_BYTES = MAGIC.length + ID_BYTES + MAC_BYTES

/** One carrier's ticket. */
export type Ticket = { readonly id: Buffer; readonly key: Buffer }

export function ticket(random: (bytes: number) => Buffer): Ticket {
  return { id: random(ID_BYTES), key: random(KEY_BYTES) }
}

/** A ticket as it is handed out in the tunnel: hexadecimal, id then key. */
export function ticketText({ id, key }: Ticket): string {
  return id.toString("hex") + key.toString("hex")
}

export function readTicket(text: string): Ticket | undefined {
  if (!/^[0-9a-f]{96}$/.test(text)) return undefined
  const bytes = Buffer.from(text, "hex")
  return { id: bytes.subarray(0, ID_BYTES), key: bytes.subarray(ID_BYTES) }
}

/** What the box says first on a carrier. */
export function greeting({ id, key }: Ticket): Buffer {
  return Buffer.concat([MAGIC, id, mac(key, "box", id)])
}

/** Whether bytes begin as a carrier's do, as far as they are there. Nothing else that we listen for begins with 0x00. */
export function beginsAsCarrier(received: Uint8Array): boolean {
  if (received[0] !== MAGIC[0]) return false
  const seen = Math.min(received.length, MAGIC.length)
  return MAGIC.subarray(0, seen).equals(received.subarray(0, seen))
}

export type CarrierRefusal = "not-a-carrier" | "unknown-ticket" | "forged"

/** Reads the box's greeting and finds its ticket; `take` must hand each ticket out once. */
export function readGreeting(
  received: Uint8Array,
  take: (idHex: string) => Ticket | undefined,
): Parsed<Ticket, CarrierRefusal> {
  if (received.length > 0 && !beginsAsCarrier(received)) return refused("not-a-carrier")
  if (received.length < GREETING_BYTES) return NEED_MORE
  const id = Buffer.from(received.subarray(MAGIC.length, MAGIC.length + ID_BYTES))
  const found = take(id.toString("hex"))
  if (!found) return refused("unknown-ticket")
  const proof = received.subarray(MAGIC.length + ID_BYTES, GREETING_BYTES)
  return timingSafeEqual(proof, mac(found.key, "box", id)) ? value(found, GREETING_BYTES) : refused("forged")
}

/** What the relay says first on a carrier that it uses: length, headers, proof. The visitor's bytes follow. */
export function carrierHeader(request: StreamRequest, { key }: Ticket): Buffer {
  const headers = Buffer.from(JSON.stringify(streamHeaders(request)))
  const length = Buffer.alloc(2)
  length.writeUInt16BE(headers.length)
  return Buffer.concat([length, headers, mac(key, "relay", headers)])
}

/** Reads the relay's header at the box. Nothing of it is believed before its proof was checked. */
export function readCarrierHeader(received: Uint8Array, { key }: Ticket): Parsed<StreamRequest, CarrierRefusal> {
  const [high, low] = received
  if (high === undefined || low === undefined) return NEED_MORE
  const lengthBytes = high * 256 + low
  if (lengthBytes > HEADER_BYTES_MAX) return refused("not-a-carrier")
  const endBytes = 2 + lengthBytes + MAC_BYTES
  if (received.length < endBytes) return NEED_MORE
  const headers = received.subarray(2, 2 + lengthBytes)
  if (!timingSafeEqual(received.subarray(2 + lengthBytes, endBytes), mac(key, "relay", headers)))
    return refused("forged")
  const request = readStreamRequest(parsedHeaders(headers))
  return request ? value(request, endBytes) : refused("not-a-carrier")
}

function parsedHeaders(bytes: Uint8Array): Record<string, string> {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString("utf8"))
    return typeof parsed === "object" && parsed !== null ? (parsed as Record<string, string>) : {}
  } catch {
    return {} // which readStreamRequest refuses
  }
}

function mac(key: Buffer, from: "box" | "relay", content: Uint8Array): Buffer {
  return createHmac("sha256", key).update(`waypost/1 carrier ${from} `).update(content).digest()
}
