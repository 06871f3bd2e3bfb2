/**
 * One message on its way from the client into the spool: what arrives is checked and handed on at once, so that its
 * size costs no memory. What is wrong with it is remembered and answered at its end, where alone a client listens.
 */
import type { Clock } from "../../clock/clock.ts"
import { FaultError, fault, type Fault } from "../../faults/faults.ts"
import type { Draft, Envelope } from "../../store/spool.ts"
import { ContentReader, type Ending } from "./content-reader.ts"
import { HOPS_MAX, HopCounter } from "./hop-counter.ts"
import { Pace } from "./pace.ts"

export type Taken = { readonly consumedBytes: number; readonly ended: boolean }

/** Ours: how much of a message that is already refused is still read, so that its sender can hear why. */
export const REFUSED_BYTES_MAX = 4 * 1024 * 1024

const CRLF = Buffer.from("\r\n")

export class IncomingMessage {
  readonly pace: Pace
  readonly #draft: Draft
  readonly #reader: ContentReader
  readonly #hops = new HopCounter()
  readonly #bytesMax: number
  #ours: Buffer | undefined
  #bytes = 0
  #refusedBytes = 0
  #fault: Fault | undefined

  /** `received`: our own line, put on top. `bytesMax` is about what the client sends. */
  constructor(draft: Draft, options: { ending: Ending; received: string; bytesMax: number; clock: Clock }) {
    this.#draft = draft
    this.#reader = new ContentReader(options.ending)
    this.#bytesMax = options.bytesMax
    this.pace = new Pace(options.clock)
    this.#ours = Buffer.from(options.received)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** Why the message is refused, as far as it was read. */
  get fault(): Fault | undefined {
    return this.#fault
  }

  /** The client goes on sending what was refused long ago, and will not be listened to. */
  get isExhausting(): boolean {
    return this.#refusedBytes > REFUSED_BYTES_MAX
  }

  /** Takes what has arrived, up to the end of the content. Resolves when more may come. Never rejects. */
  async take(bytes: Uint8Array): Promise<Taken> {
    const { content, consumedBytes, ended } = this.#reader.read(bytes)
    this.#check(content)
    if (this.#fault) this.#refusedBytes += consumedBytes
    else await this.pace.without(this.#keep(content))
    this.pace.received(consumedBytes)
    return { consumedBytes, ended }
  }

  /** Makes it durable, or says why not; then nothing of it is kept. */
  async finish(envelope: Envelope): Promise<Fault | undefined> {
    this.#reader.finish()
    this.#check(new Uint8Array())
    if (!this.#fault) await this.#keep(this.#reader.endsInsideLine ? CRLF : new Uint8Array())
    if (!this.#fault) await this.#remember(this.#draft.commit(envelope))
    if (this.#fault) await this.#draft.discard()
    return this.#fault
  }

  discard(): Promise<void> {
    return this.#draft.discard()
  }

  #check(content: Uint8Array): void {
    this.#bytes += content.length
    this.#hops.read(content)
    const { refusal } = this.#reader
    if (this.#fault) return
    if (refusal) this.#fault = fault(refusal, `in the content, after ${this.#bytes} bytes`)
    else if (this.#bytes > this.#bytesMax) this.#fault = fault("MESSAGE_TOO_LARGE", `more than ${this.#bytesMax} bytes`)
    else if (this.#hops.hops >= HOPS_MAX) this.#fault = fault("MAIL_LOOP", `${this.#hops.hops} Received lines`)
  }

  async #keep(piece: Uint8Array): Promise<void> {
    const ours = this.#ours
    this.#ours = undefined
    if (ours) await this.#remember(this.#draft.write(ours))
    if (!this.#fault) await this.#remember(this.#draft.write(piece))
  }

  async #remember(kept: Promise<void>): Promise<void> {
    try {
      await kept
    } catch (error) {
      this.#fault = error instanceof FaultError ? error.fault : fault("SPOOL_FAILED", String(error))
    }
  }
}
