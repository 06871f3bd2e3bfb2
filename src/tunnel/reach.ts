/**
 * "Can you reach me?": a box asks its relay to dial back, at the address that the tunnel comes from and at a port of the
 * box's choice. No other address can be asked about, so a relay scans nobody for anybody. HTTP/2 lets the box answer
 * only, so the relay keeps one request open, which the box answers when it has a question (docs/tunnel-protocol.md §10).
 */
import type { ServerHttp2Stream } from "node:http2"
import type { Clock } from "../clock/clock.ts"
import { endpointText, socketAddress, type Port, type SocketAddress } from "../names/endpoint.ts"
import { STATUS } from "./wire.ts"

/** Request of the relay: its body is the answer to the question before, if there was one; its answer is a question. */
export const REACH_PATH = "/waypost/1/reach"
/** Ours: above what the relay makes a box wait between two questions, for as many services as a box has. */
const ANSWER_MS_MAX = 120_000

export type ReachAnswer = {
  /** Where the relay dialled: the address that it sees the tunnel come from. */
  readonly at: SocketAddress
  /** The relay's own end of the connection that it got; `undefined`: nobody answered. Who was reached has seen it. */
  readonly from: SocketAddress | undefined
}

export function writeReachAnswer({ at, from }: ReachAnswer): string {
  return `${endpointText(at)} ${from ? endpointText(from) : "-"}`
}

/** `undefined` if it is none. */
export function readReachAnswer(text: string): ReachAnswer | undefined {
  const [where = "", whence = "", ...more] = text.split(" ")
  const [at, from] = [socketAddress(where), socketAddress(whence)]
  return at && more.length === 0 && (from || whence === "-") ? { at, from } : undefined
}

/** The port that a box asks about; `undefined` if it asks nothing sensible. */
export function readReachQuestion(text: string): Port | undefined {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : 0
  return port > 0 && port <= 65_535 ? port : undefined
}

type Asked = { readonly port: Port; readonly answered: (answer: ReachAnswer | undefined) => void }

/** The box's side: questions go out one at a time, whenever the relay waits for one. */
export class ReachQuestions {
  readonly #clock: Clock
  readonly #queue: Asked[] = []
  #asked: Asked | undefined
  #relay: ServerHttp2Stream | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves to `undefined` when the relay does not answer such questions, or not in time. */
  ask(port: Port): Promise<ReachAnswer | undefined> {
    return new Promise((answered) => {
      const forget = this.#clock.after(ANSWER_MS_MAX, () => answered(undefined))
      this.#queue.push({ port, answered: (answer) => (forget(), answered(answer)) })
      this.#next()
    })
  }

  /** The relay waits on this stream for a question; it has brought what it found. */
  relayWaits(stream: ServerHttp2Stream, brought: string): void {
    this.#asked?.answered(readReachAnswer(brought))
    this.#asked = undefined
    this.#relay = stream
    stream.once("close", () => {
      if (this.#relay === stream) this.#relay = undefined
    })
    this.#next()
  }

  /** There are no more questions: the relay waits no longer. */
  close(): void {
    this.#relay?.respond({ ":status": STATUS.done }, { endStream: true })
    this.#relay = undefined
    for (const { answered } of [...(this.#asked ? [this.#asked] : []), ...this.#queue.splice(0)]) answered(undefined)
    this.#asked = undefined
  }

  #next(): void {
    const stream = this.#relay
    if (!stream || stream.destroyed || this.#asked) return
    this.#asked = this.#queue.shift()
    if (!this.#asked) return
    this.#relay = undefined
    stream.respond({ ":status": STATUS.open })
    stream.end(String(this.#asked.port))
  }
}
