/**
 * Transfers: something that the relay hands to a service of the box as a whole, with a description in front of it, and
 * that the box answers for. What is handed over, and that it is done once, is known by those who use this (docs/tunnel-protocol.md §8).
 */
import { constants, type ClientHttp2Session, type ClientHttp2Stream, type ServerHttp2Stream } from "node:http2"
import { once } from "node:events"
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { serviceName, STATUS, TRANSFER_PATH, type ServiceName } from "./wire.ts"

/** Ours: the envelope of mail to 1,000 recipients with everything that each can have, and what became of each. */
export const TRANSFER_TEXT_BYTES_MAX = 2 * 1024 * 1024
/** Before the description: its length in 4 bytes, and that of the content in 8, big-endian. */
const LENGTHS_BYTES = 12

/** What the relay hands over. `content` may be read once; it rejects unless `contentBytes` of it have come. */
export type Transfer = {
  readonly service: ServiceName
  readonly about: string
  readonly contentBytes: number
  readonly content: AsyncIterable<Uint8Array>
}

/** What the box does with transfers. */
export type Takes = {
  /** Whether a service takes transfers and answers at the moment; `undefined`: there is no such service. */
  offers(service: ServiceName): Promise<boolean | undefined>
  /** Resolves to what became of it, when that will last; `undefined` if the description makes no sense. */
  take(transfer: Transfer): Promise<string | undefined>
}

export type TransferHead = Pick<Transfer, "about" | "contentBytes">

/**
 * HTTP/2 has an end of its own, but a sender that breaks off may still say END_STREAM before it says RST_STREAM (Node does): how
 * much has to come is therefore said before it comes.
 */
export function transferHead({ about, contentBytes }: TransferHead): Buffer {
  const text = Buffer.from(about)
  const lengths = Buffer.alloc(LENGTHS_BYTES)
  lengths.writeUInt32BE(text.length)
  lengths.writeBigUInt64BE(BigInt(contentBytes), 4)
  return Buffer.concat([lengths, text])
}

export function readTransferHead(received: Uint8Array): Parsed<TransferHead, "too long"> {
  if (received.length < LENGTHS_BYTES) return NEED_MORE
  const bytes = Buffer.from(received.buffer, received.byteOffset, received.length)
  const end = LENGTHS_BYTES + bytes.readUInt32BE(0)
  if (end - LENGTHS_BYTES > TRANSFER_TEXT_BYTES_MAX) return refused("too long")
  if (bytes.length < end) return NEED_MORE
  const contentBytes = Number(bytes.readBigUInt64BE(4))
  return value({ about: bytes.toString("utf8", LENGTHS_BYTES, end), contentBytes }, end)
}

/** Box: answers one request for a transfer, or the question whether one would be taken. */
export async function answerTransfer(
  stream: ServerHttp2Stream,
  { method, service: named }: { readonly method: string; readonly service: string },
  takes: Takes,
): Promise<void> {
  const service = serviceName(named)
  if (!service) return end(stream, STATUS.malformed)
  if (method === "GET") {
    const offered = await takes.offers(service)
    return end(stream, offered ? STATUS.done : offered === false ? STATUS.serviceDown : STATUS.noSuchService)
  }
  const pieces = stream.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>
  const head = await readHead(pieces)
  if (!head) return end(stream, STATUS.malformed)
  const { about, contentBytes } = head
  const outcome = await takes.take({ service, about, contentBytes, content: contentOf(stream, head, pieces) })
  stream.resume() // what the relay had on its way when it was answered
  end(stream, outcome === undefined ? STATUS.malformed : STATUS.open, outcome)
}

function end(stream: ServerHttp2Stream, status: number, body?: string): void {
  if (stream.destroyed || stream.headersSent) return
  stream.respond({ ":status": status }, { endStream: body === undefined })
  if (body !== undefined) stream.end(body)
}

/** `rest`: what came with it. */
type Head = TransferHead & { readonly rest: Uint8Array }

async function readHead(pieces: AsyncIterator<Buffer>): Promise<Head | undefined> {
  let received = Buffer.alloc(0)
  for (;;) {
    const head = readTransferHead(received)
    if (head.kind === "refused") return undefined
    if (head.kind === "value") return { ...head.value, rest: received.subarray(head.consumedBytes) }
    const next = await pieces.next()
    if (next.done) return undefined
    received = Buffer.concat([received, next.value])
  }
}

/** RFC 9110 §10.1.1: the relay waits for 100, so that nothing crosses the network that nobody wants to have. */
async function* contentOf(
  stream: ServerHttp2Stream,
  { rest, contentBytes }: Head,
  pieces: AsyncIterator<Buffer>,
): AsyncGenerator<Uint8Array> {
  stream.additionalHeaders({ ":status": 100 })
  let leftBytes = contentBytes - rest.length
  if (rest.length > 0) yield rest
  for (let piece = await pieces.next(); !piece.done; piece = await pieces.next()) {
    leftBytes -= piece.value.length
    yield piece.value
  }
  if (leftBytes !== 0) throw new Error(`the relay went away: ${leftBytes} of ${contentBytes} bytes did not come`)
}

/** Relay: whether the box takes transfers to this service. Rejects with BACKEND_REFUSES when the service does not answer. */
export async function takesTransfers(session: ClientHttp2Session, service: ServiceName): Promise<boolean> {
  const stream = session.request({ ...requestHeaders("GET", service) })
  const { status } = await answerOf(stream, TRANSFER_TEXT_BYTES_MAX)
  if (status === STATUS.serviceDown)
    throw new FaultError(fault("BACKEND_REFUSES", `the box cannot reach its service ${service}`))
  return status === STATUS.done
}

/** What the relay hands over. */
export type HandOver = Transfer & {
  /** Takes it back; nobody knows then what became of it. */
  readonly signal: AbortSignal
}

/** Relay: hands something over; content is read only if the box asks for it. Rejects when no answer comes. */
export async function handOver(session: ClientHttp2Session, transfer: HandOver): Promise<string> {
  const { service, content, signal } = transfer
  const stream = session.request(
    { ...requestHeaders("POST", service), expect: "100-continue" },
    { endStream: false, signal },
  )
  const answered = answerOf(stream, TRANSFER_TEXT_BYTES_MAX)
  let over = false
  const settled = answered.then(
    () => (over = true as const),
    () => (over = true as const),
  )
  try {
    const asked = once(stream, "continue", { signal })
    asked.catch(() => {}) // `answered` tells
    stream.write(transferHead(transfer))
    await Promise.race([asked, settled])
    if (!over) await send(stream, content, settled)
  } catch (error) {
    stream.close(constants.NGHTTP2_CANCEL)
    await settled
    throw error
  }
  stream.end()
  const { status, body } = await answered
  if (status !== STATUS.open) throw new Error(`the box answers the transfer with ${status}`)
  return body
}

/** As fast as it is taken, until it is all there or there is an answer. */
async function send(
  stream: ClientHttp2Stream,
  content: AsyncIterable<Uint8Array>,
  settled: Promise<true>,
): Promise<void> {
  const pieces = content[Symbol.asyncIterator]()
  for (;;) {
    const next = await Promise.race([pieces.next(), settled])
    if (next === true || next.done) return
    await Promise.race([new Promise((taken) => stream.write(next.value, taken)), settled])
  }
}

function requestHeaders(method: "GET" | "POST", service: ServiceName): Record<string, string> {
  return { ":method": method, ":path": TRANSFER_PATH, ":scheme": "https", ":authority": service }
}

export type Answer = { readonly status: number; readonly body: string }

/** What the box answers. Rejects when the tunnel breaks before that, or when the answer has no end. */
export function answerOf(stream: ClientHttp2Stream, bytesMax: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let status: number | undefined
    let answer = ""
    stream.once("response", (headers) => (status = headers[":status"]))
    stream.setEncoding("utf8").on("data", (piece: string) => {
      answer += piece
      if (answer.length > bytesMax) stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM)
    })
    stream.once("end", () => status !== undefined && resolve({ status, body: answer }))
    stream.once("error", reject)
    stream.once("close", () => reject(new Error("the box hung up before it answered")))
  })
}
