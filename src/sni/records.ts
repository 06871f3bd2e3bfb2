/**
 * TLS records, as far as a ClientHello needs them: joins the handshake message that the first records carry, however
 * they cut it. It keeps nothing between calls; a call for every arriving byte only walks the record headers again.
 */
import { NEED_MORE, value, type Parsed } from "../bytes/parsed.ts"
import { refuse, type HelloRefusal, type Refused } from "./refusal.ts"

/**
 * Ours: what a ClientHello may take on the wire, record headers included. Real ones reach 2 kB with post-quantum keys;
 * HAProxy and nginx read 16 kB. It bounds what a silent stranger makes us keep, and the work when bytes come singly.
 */
export const HELLO_WIRE_BYTES_MAX = 32_768
/** RFC 8446 §5.1: a plaintext record holds at most 2^14 bytes. */
const RECORD_CONTENT_BYTES_MAX = 16_384
const RECORD_HEADER_BYTES = 5
/** RFC 8446 §4: one byte of type and three of length. */
const MESSAGE_HEADER_BYTES = 4
const CONTENT_TYPE_HANDSHAKE = 22
const MESSAGE_TYPE_CLIENT_HELLO = 1

/** The body of the ClientHello: a view of `received` where one record holds it, else a copy. */
export function joinRecords(received: Uint8Array): Parsed<Uint8Array, HelloRefusal> {
  let joinedBytes = 0
  let header = NO_HEADER
  for (let recordAt = 0; ;) {
    const wrong = wrongRecord(received, recordAt)
    if (wrong) return wrong
    const contentAt = recordAt + RECORD_HEADER_BYTES
    if (received.length < contentAt) return NEED_MORE
    const endAt = contentAt + u16(received, contentAt - 2)
    header = readOn(header, received, contentAt, Math.min(endAt, received.length))
    const messageBytes = MESSAGE_HEADER_BYTES + header.bodyBytes
    const unfit = wrongMessage(header, Math.max(endAt, RECORD_HEADER_BYTES + messageBytes))
    if (unfit) return unfit
    if (received.length < endAt) return NEED_MORE
    joinedBytes += endAt - contentAt
    if (header.readBytes === MESSAGE_HEADER_BYTES && joinedBytes >= messageBytes) {
      // RFC 8446 §5.1: a message before a change of keys ends where its record ends.
      if (joinedBytes > messageBytes) return refuse("HELLO_MISFRAMED", "the record goes on after the ClientHello")
      return value(bodyOf(received, endAt, messageBytes), endAt)
    }
    recordAt = endAt
  }
}

/** What is known of a handshake message's header, which several records may share. */
type MessageHeader = { readonly readBytes: number; readonly type: number; readonly bodyBytes: number }

const NO_HEADER: MessageHeader = { readBytes: 0, type: MESSAGE_TYPE_CLIENT_HELLO, bodyBytes: 0 }

function readOn(header: MessageHeader, received: Uint8Array, from: number, to: number): MessageHeader {
  let { readBytes, type, bodyBytes } = header
  for (let at = from; at < to && readBytes < MESSAGE_HEADER_BYTES; at++, readBytes++) {
    const byte = received[at] ?? 0
    if (readBytes === 0) type = byte
    else bodyBytes = bodyBytes * 0x100 + byte
  }
  return readBytes === header.readBytes ? header : { readBytes, type, bodyBytes }
}

/** Judges a record's header by as many of its bytes as have arrived. */
function wrongRecord(received: Uint8Array, at: number): Refused | undefined {
  const type = received[at] ?? CONTENT_TYPE_HANDSHAKE
  if (type !== CONTENT_TYPE_HANDSHAKE) {
    // SSLv2's hello is among the former: RFC 8446 §D.5 has it neither sent nor accepted.
    if (at === 0) return refuse("NOT_TLS", `first byte ${type}`)
    return refuse("HELLO_MISFRAMED", `a record of type ${type} inside the ClientHello`)
  }
  // RFC 8446 §5.1 has the minor version ignored; SSLv3 and every TLS since have 3 before it.
  const major = received[at + 1] ?? 3
  if (major !== 3) return refuse("HELLO_VERSION", `record version ${major}`)
  if (received.length < at + RECORD_HEADER_BYTES) return undefined
  const contentBytes = u16(received, at + 3)
  // RFC 8446 §5.1: "Implementations MUST NOT send zero-length fragments of Handshake types"
  if (contentBytes === 0) return refuse("HELLO_MISFRAMED", "an empty handshake record")
  if (contentBytes > RECORD_CONTENT_BYTES_MAX) return refuse("RECORD_TOO_LARGE", `a record of ${contentBytes} bytes`)
  return undefined
}

function wrongMessage(header: MessageHeader, wireBytes: number): Refused | undefined {
  if (header.type !== MESSAGE_TYPE_CLIENT_HELLO) return refuse("NOT_TLS", `handshake message of type ${header.type}`)
  if (wireBytes > HELLO_WIRE_BYTES_MAX) return refuse("HELLO_TOO_LARGE", `at least ${wireBytes} bytes`)
  return undefined
}

function bodyOf(received: Uint8Array, endAt: number, messageBytes: number): Uint8Array {
  const inOneRecord = endAt === RECORD_HEADER_BYTES + messageBytes
  if (inOneRecord) return received.subarray(RECORD_HEADER_BYTES + MESSAGE_HEADER_BYTES, endAt)
  return joined(received, endAt, messageBytes).subarray(MESSAGE_HEADER_BYTES)
}

function joined(received: Uint8Array, endAt: number, messageBytes: number): Uint8Array {
  const message = new Uint8Array(messageBytes)
  let filledBytes = 0
  for (let recordAt = 0; recordAt < endAt;) {
    const contentAt = recordAt + RECORD_HEADER_BYTES
    recordAt = contentAt + u16(received, contentAt - 2)
    message.set(received.subarray(contentAt, recordAt), filledBytes)
    filledBytes += recordAt - contentAt
  }
  return message
}

function u16(bytes: Uint8Array, at: number): number {
  return (bytes[at] ?? 0) * 0x100 + (bytes[at + 1] ?? 0)
}
