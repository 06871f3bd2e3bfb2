/**
 * The relay's end of one tunnel, after TLS: it opens streams to services of the box, and asks the box the two questions
 * that come before them (which invitation do you claim? do you accept these verdicts?).
 */
import { connect, constants, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2"
import type { Duplex } from "node:stream"
import type { TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { ipAddress, type IpAddress } from "../names/ip-address.ts"
import type { Ask, AskAnswer } from "./ask.ts"
import { ticketText, type Ticket } from "./carrier.ts"
import { withoutEmptyWrites } from "./empty-writes.ts"
import { endAtOnce, keepAlive } from "./heartbeat.ts"
import type { Pin } from "./pin.ts"
import { REACH_PATH } from "./reach.ts"
import { answerAsk, hearAsks } from "./relay-asks.ts"
import { SESSION_OPTIONS, SESSION_WINDOW_BYTES } from "./settings.ts"
import { answerOf, handOver, takesTransfers, type Answer, type HandOver } from "./transfer.ts"
import {
  CARRIERS_PATH,
  CLAIM_PATH,
  SENDERS_PATH,
  STATUS,
  streamHeaders,
  VERDICTS_PATH,
  type ServiceName,
  type StreamRequest,
} from "./wire.ts"

/** Ours: answers to our two questions are short. */
const ANSWER_BYTES_MAX = 4_096

/** A box that has dialled in and proved its key. */
export type RelayEnd = {
  readonly pin: Pin
  /** Where the tunnel comes from, as far as the connection says. */
  readonly remote: IpAddress | undefined
  /** The secret of the invitation that the box claims; `undefined` if it claims none. */
  claim(): Promise<string | undefined>
  /** Shows the box the verdict of every route of its friend; `false` if one of them breaks its promise. */
  show(verdicts: string): Promise<boolean>
  /** Whether a stream can be opened: not once one side has said that it goes (GOAWAY, RFC 9113 §6.8). */
  readonly takesStreams: boolean
  /**
   * Opens a stream to a service. It may be written to at once; if the box cannot open the service, the stream is
   * destroyed with a `FaultError` before it gave any byte.
   */
  open(request: StreamRequest): Duplex
  /** Asks the box to dial a carrier for every ticket; `false` if it dials none. Rejects when the tunnel breaks. */
  offer(tickets: readonly Ticket[]): Promise<boolean>
  /** Whether the box takes transfers to this service. Rejects with BACKEND_REFUSES when the service does not answer. */
  takesTransfers(service: ServiceName): Promise<boolean>
  /** Hands something over as a whole; resolves to what the box says became of it. Rejects when nobody knows. */
  handOver(transfer: HandOver): Promise<string>
  /**
   * Brings the box the answer to its question before, and waits for the next one; `undefined` if it asks none. Rejects
   * when the tunnel breaks.
   */
  nextReach(answer: string): Promise<string | undefined>
  /** Hears what the box asks for from here on; `take` answers each ask in time, and never rejects. */
  hear(take: (ask: Ask) => Promise<void>): void
  /** The stream of an opened ask is the connection; `undefined`: the tunnel takes no streams any more. */
  answer(answer: AskAnswer): Duplex | undefined
  /** Tells the owner how senders come to the ports that he shares, as JSON; resolves to `false` if the box does not listen. */
  tellSenders(counts: string): Promise<boolean>
  /** The last round trip in milliseconds. */
  rttMs(): number | undefined
  readonly streams: number
  /** Tells the box to dial anew (GOAWAY, RFC 9113 §6.8) and resolves when the last stream has ended. */
  drain(): Promise<void>
  close(): void
  /** Resolves when the tunnel is gone, for whatever reason. */
  readonly gone: Promise<void>
}

export function relayEnd(socket: TLSSocket, pin: Pin, clock: Clock): RelayEnd {
  const session = connect("https://box", { ...SESSION_OPTIONS, createConnection: () => socket })
  const gone = new Promise<void>((resolve) => session.once("close", resolve))
  const tunnel = { session, socket }
  let lastRttMs: number | undefined
  let streams = 0
  let waiting: ClientHttp2Stream | undefined
  let deaf = () => {}
  session.on("error", () => endAtOnce(tunnel)) // told by `gone`; the reason is the network's
  session.once("connect", () => session.setLocalWindowSize(SESSION_WINDOW_BYTES))
  keepAlive(tunnel, clock, (ms) => (lastRttMs = ms))

  const open = (request: StreamRequest): Duplex => {
    const stream = withoutEmptyWrites(session.request(streamHeaders(request), { endStream: false }))
    streams += 1
    stream.once("close", () => (streams -= 1))
    stream.once("response", (headers) => {
      if (headers[":status"] !== STATUS.open) stream.destroy(refusal(request, headers[":status"]))
    })
    return stream
  }

  return {
    pin,
    remote: ipAddress(socket.remoteAddress ?? ""),
    nextReach: async (answer) => {
      const { status, body } = await ask(session, REACH_PATH, answer, (stream) => (waiting = stream))
      return status === STATUS.open ? body : undefined
    },
    gone,
    get takesStreams() {
      return !session.closed && !session.destroyed
    },
    open,
    claim: async () => {
      const { status, body } = await ask(session, CLAIM_PATH, "")
      return status === STATUS.open ? body : undefined
    },
    show: async (verdicts) => (await ask(session, VERDICTS_PATH, verdicts)).status === STATUS.done,
    offer: async (tickets) =>
      (await ask(session, CARRIERS_PATH, tickets.map(ticketText).join("\n"))).status === STATUS.done,
    takesTransfers: (service) => takesTransfers(session, service),
    handOver: (transfer) => handOver(session, transfer),
    hear: (take) => (deaf = hearAsks(session, take)),
    answer: (answer) => answerAsk(session, answer),
    tellSenders: async (counts) => (await ask(session, SENDERS_PATH, counts)).status === STATUS.done,
    rttMs: () => lastRttMs,
    get streams() {
      return streams
    },
    drain: () => {
      waiting?.close(constants.NGHTTP2_CANCEL) // for a question that will be another tunnel's
      deaf() // it would hold the tunnel for ever
      session.close() // sends GOAWAY and waits for its streams
      return gone
    },
    close: () => endAtOnce(tunnel),
  }
}

function refusal(request: StreamRequest, status: number | undefined): FaultError {
  const down = status === STATUS.serviceDown
  const detail = down
    ? `the box cannot reach its service ${request.service}`
    : `the box has no service ${request.service}`
  return new FaultError(fault("BACKEND_REFUSES", detail))
}

/** One question to the box. Rejects when the tunnel breaks; the door's deadline covers a box that does not answer. */
function ask(
  session: ClientHttp2Session,
  path: string,
  body: string,
  begun: (stream: ClientHttp2Stream) => void = () => {},
): Promise<Answer> {
  const stream = session.request({ ":method": "POST", ":path": path, ":scheme": "https", ":authority": "box" })
  begun(stream)
  stream.end(body)
  return answerOf(stream, ANSWER_BYTES_MAX)
}
