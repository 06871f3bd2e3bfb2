/**
 * The box's end of one tunnel: dials out, checks that the relay is the one it knows, then answers what the relay asks.
 * It opens only services that its owner listed: the relay names a service and can never name an address, so it cannot
 * reach into the owner's network.
 */
import { performServerHandshake, type ServerHttp2Session, type ServerHttp2Stream } from "node:http2"
import type { TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import { endpointText, type Endpoint, type Port } from "../names/endpoint.ts"
import { isAnswer } from "./ask.ts"
import { BoxAsks, type Outside } from "./box-asks.ts"
import { boxCarriers, type Serve } from "./box-carriers.ts"
import { readTicket } from "./carrier.ts"
import { endAtOnce, keepAlive } from "./heartbeat.ts"
import { dialRelay } from "./dial-relay.ts"
import type { Pin } from "./pin.ts"
import { REACH_PATH, ReachQuestions, type ReachAnswer } from "./reach.ts"
import { ATTACH_DEADLINE_MS, SESSION_OPTIONS, SESSION_WINDOW_BYTES } from "./settings.ts"
import { answerTransfer, type Takes } from "./transfer.ts"
import {
  ASKS_PATH,
  CARRIERS_PATH,
  CLAIM_PATH,
  readStreamRequest,
  SENDERS_PATH,
  STATUS,
  TRANSFER_PATH,
  TUNNEL_ALPN,
  VERDICTS_PATH,
  type StreamRequest,
} from "./wire.ts"

/** Ours: the verdicts of one friend's routes, in JSON; tickets for carriers are fewer bytes. */
const BODY_BYTES_MAX = 262_144

export type BoxEndOptions = {
  readonly relay: Endpoint
  readonly relayPin: Pin
  /** The box's own key and certificate, PEM. */
  readonly key: string
  readonly cert: string
  /** The secret to join with, when the relay does not know our key yet. */
  readonly claim: string | undefined
  /** Whether the owner accepts these verdicts. */
  readonly accepts: (verdicts: string) => boolean
  /** Told how senders come to the ports that its owner shares with other friends; JSON from the relay. Without it the box does not ask to know. */
  readonly senders?: (counts: string) => void
  /** Connects to a service and splices; resolves to `false` when there is no such service. Rejects when it is down. */
  readonly serve: Serve
  /** What is handed over as a whole; not given: nothing is. */
  readonly takes?: Takes
  /** Whether connections that are TLS end to end may come over plain TCP beside the tunnel (carrier.ts). */
  readonly carriers: boolean
  /** Whether this box may ask for connections to the outside. */
  readonly asks: boolean
  readonly clock: Clock
}

export type BoxEnd = {
  readonly rttMs: () => number | undefined
  /** Asks the relay to dial back (reach.ts); `undefined`: it does not answer. */
  askReach(port: Port): Promise<ReachAnswer | undefined>
  /** Asks the relay for a connection to the outside; after `signal` nobody waits for it. Rejects with a `FaultError`. */
  ask(to: Endpoint, signal: AbortSignal): Promise<Outside>
  /** The relay asked us to dial anew; streams go on until they end. */
  readonly leaving: Promise<void>
  readonly gone: Promise<Ending>
  /** Says what is still to be said, takes no more streams, and ends when the last one has. */
  leave(): Promise<Ending>
  close(): void
}

export type Ending = "closed" | "promise-broken"

/**
 * Dials and attaches; resolves when the relay has shown its verdicts and they were accepted. Rejects when the relay
 * cannot be reached, shows another key than the pinned one, does not let us in, or breaks the promise.
 */
export async function boxEnd(options: BoxEndOptions): Promise<BoxEnd> {
  const tls = await dialRelay({ ...options, alpn: TUNNEL_ALPN })
  const session = performServerHandshake(tls, SESSION_OPTIONS)
  session.setLocalWindowSize(SESSION_WINDOW_BYTES)
  return attach(session, tls, options)
}

function attach(session: ServerHttp2Session, tls: TLSSocket, options: BoxEndOptions): Promise<BoxEnd> {
  const tunnel = { session, socket: tls }
  let ending: Ending = "closed"
  let lastRttMs: number | undefined
  const leaving = new Promise<void>((resolve) => session.once("goaway", () => resolve()))
  const gone = new Promise<Ending>((resolve) => session.once("close", () => resolve(ending)))
  const reach = new ReachQuestions(options.clock)
  void gone.then(() => reach.close())
  const leave = () => {
    reach.close()
    session.close() // sends GOAWAY and waits for its streams
    return gone
  }
  const carriers = options.carriers ? boxCarriers(options) : undefined
  const asks = new BoxAsks(options.clock)
  void gone.then(() => {
    carriers?.close()
    asks.end()
  })
  const end: BoxEnd = {
    rttMs: () => lastRttMs,
    askReach: (port) => reach.ask(port),
    ask: (to, signal) => asks.ask(to, signal),
    leaving,
    gone,
    leave,
    close: () => endAtOnce(tunnel),
  }
  session.on("error", () => endAtOnce(tunnel))
  keepAlive(tunnel, options.clock, (ms) => (lastRttMs = ms))
  return new Promise((resolve, reject) => {
    const overdue = options.clock.after(ATTACH_DEADLINE_MS, () => endAtOnce(tunnel))
    session.once("close", () => {
      overdue()
      reject(new Error(ending === "closed" ? notLetIn(options) : "what the relay could do breaks this box's promise"))
    })
    session.on("stream", (stream, headers) => {
      stream.on("error", () => stream.destroy()) // one connection's trouble stays its own
      if (isAnswer(headers)) return asks.answered(stream, headers)
      if (headers[":path"] === ASKS_PATH && options.asks) return asks.begin(stream)
      if (headers[":method"] === "CONNECT") return void openService(stream, readStreamRequest(headers), options)
      if (headers[":path"] === CLAIM_PATH) return answerClaim(stream, options.claim)
      if (headers[":path"] === REACH_PATH) return readBody(stream, (brought) => reach.relayWaits(stream, brought))
      if (headers[":path"] === CARRIERS_PATH && carriers)
        return readBody(stream, (tickets) => {
          stream.respond({ ":status": STATUS.done }, { endStream: true })
          carriers.dial(tickets.split("\n").flatMap((text) => readTicket(text) ?? []))
        })
      if (headers[":path"] === TRANSFER_PATH && options.takes) {
        const { ":method": method = "", ":authority": service = "" } = headers
        return void answerTransfer(stream, { method, service }, options.takes).catch(() => stream.destroy())
      }
      const { senders } = options
      if (headers[":path"] === SENDERS_PATH && senders)
        return readBody(stream, (counts) => {
          senders(counts)
          stream.respond({ ":status": STATUS.done }, { endStream: true })
        })
      if (headers[":path"] !== VERDICTS_PATH)
        return stream.respond({ ":status": STATUS.noSuchService }, { endStream: true })
      readBody(stream, (verdicts) => {
        const accepted = options.accepts(verdicts)
        if (!accepted) ending = "promise-broken"
        stream.respond({ ":status": accepted ? STATUS.done : STATUS.promiseBroken }, { endStream: true })
        overdue()
        if (accepted)
          stream.once("close", () => resolve(end)) // not before the relay can have the answer
        else session.close()
      })
    })
  })
}

/** The relay hangs up without a word on whom it does not know, so the likely reason is all that can be told. */
function notLetIn({ relay, claim }: BoxEndOptions): string {
  const why =
    claim === undefined ? "it does not know this box's key" : "the invitation was used, has expired or was replaced"
  return `${endpointText(relay)} did not let this box in: ${why}`
}

async function openService(
  stream: ServerHttp2Stream,
  request: StreamRequest | undefined,
  options: BoxEndOptions,
): Promise<void> {
  if (!request) return stream.respond({ ":status": STATUS.malformed }, { endStream: true })
  const opened = () => {
    stream.respond({ ":status": STATUS.open })
    return stream
  }
  try {
    const known = await options.serve(request, opened, "tunnel")
    if (!known) answerOnce(stream, STATUS.noSuchService)
  } catch {
    answerOnce(stream, STATUS.serviceDown)
  }
}

function answerOnce(stream: ServerHttp2Stream, status: number): void {
  if (!stream.headersSent && !stream.destroyed) stream.respond({ ":status": status }, { endStream: true })
}

function answerClaim(stream: ServerHttp2Stream, claim: string | undefined): void {
  stream.respond({ ":status": claim === undefined ? STATUS.noSuchService : STATUS.open })
  stream.end(claim)
}

function readBody(stream: ServerHttp2Stream, whole: (body: string) => void): void {
  let body = ""
  stream.setEncoding("utf8").on("data", (piece: string) => {
    body += piece
    if (body.length > BODY_BYTES_MAX) stream.session?.destroy()
  })
  stream.once("end", () => whole(body))
}
