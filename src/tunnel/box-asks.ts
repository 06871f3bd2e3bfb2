/** The box's side of what it asks its relay for: writes the asks, and matches the streams that answer them. */
import type { ServerHttp2Stream } from "node:http2"
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { askLine, readAnswer, type AskId } from "./ask.ts"
import { STATUS, type Headers } from "./wire.ts"

/** Ours: longer than a relay tries the addresses of a mail server (see its own deadline), and than it takes to say so. */
const ANSWER_MS_MAX = 45_000
/** Ours: a relay that knows outgoing mail hears as soon as it has let the box in; an older one never does. */
const HEARS_MS_MAX = 5_000

/** A connection to the outside that the relay has opened. */
export type Outside = {
  readonly stream: Duplex
  readonly remote: SocketAddress
  /** What the far end sees. */
  readonly local: SocketAddress
}

type Waiting = { readonly opened: (outside: Outside) => void; readonly failed: (error: FaultError) => void }

export class BoxAsks {
  readonly #clock: Clock
  readonly #waiting = new Map<AskId, Waiting>()
  /** Where asks are written; before the relay hears they wait, and when it has left there is nobody to ask. */
  #asks: ServerHttp2Stream | "not yet" | "no more" = "not yet"
  #unsaid: string[] = []
  #lastId: AskId = 0

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The relay hears from here on. */
  begin(stream: ServerHttp2Stream): void {
    stream.respond({ ":status": STATUS.open })
    this.#asks = stream
    for (const line of this.#unsaid.splice(0)) stream.write(line)
    stream.once("close", () => this.end())
  }

  /** The relay hears no more, or the tunnel is gone. */
  end(): void {
    this.#asks = "no more"
    const error = new FaultError(fault("OUTGOING_AWAY", "the relay has left"))
    for (const { failed } of this.#waiting.values()) failed(error)
  }

  /**
   * Asks for a connection. Rejects with a `FaultError`: what the relay says, OUTGOING_AWAY where it does not hear or has left,
   * BACKEND_SILENT where it does not answer. After `signal` an answer is turned away.
   */
  ask(to: Endpoint, signal: AbortSignal): Promise<Outside> {
    return new Promise((resolve, reject) => {
      const fail = (code: "OUTGOING_AWAY" | "BACKEND_SILENT", why: string) =>
        this.#waiting.get(id)?.failed(new FaultError(fault(code, `${endpointText(to)}: ${why}`)))
      const id = (this.#lastId += 1)
      const overdue = this.#clock.after(ANSWER_MS_MAX, () => fail("BACKEND_SILENT", "the relay did not answer in time"))
      const gone = () => fail("OUTGOING_AWAY", "nobody waits for it any more")
      const deaf = this.#clock.after(HEARS_MS_MAX, () => this.#asks === "not yet" && fail("OUTGOING_AWAY", "not heard"))
      const over = () => {
        deaf()
        overdue()
        signal.removeEventListener("abort", gone)
        this.#waiting.delete(id)
      }
      const opened = (outside: Outside) => (over(), resolve(outside))
      const failed = (error: FaultError) => (over(), reject(error))
      this.#waiting.set(id, { opened, failed })
      signal.addEventListener("abort", gone)
      if (signal.aborted) gone()
      else this.#say(askLine({ id, to }), () => fail("OUTGOING_AWAY", "the relay has left"))
    })
  }

  /** A stream that answers an ask. */
  answered(stream: ServerHttp2Stream, headers: Headers): void {
    const answer = readAnswer(headers)
    const waiting = answer && this.#waiting.get(answer.id)
    const turnAway = (status: number) => stream.respond({ ":status": status }, { endStream: true })
    if (!answer) return turnAway(STATUS.malformed)
    if (!waiting) return turnAway(STATUS.noSuchService)
    if (answer.kind === "refused") {
      turnAway(STATUS.done)
      return waiting.failed(new FaultError(fault(answer.code, "the relay says so")))
    }
    stream.respond({ ":status": STATUS.open })
    waiting.opened({ stream, remote: answer.remote, local: answer.local })
  }

  #say(line: string, tooLate: () => void): void {
    if (this.#asks === "not yet") this.#unsaid.push(line)
    else if (this.#asks === "no more") tooLate()
    else this.#asks.write(line)
  }
}
