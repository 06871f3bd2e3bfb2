/**
 * One message on its way from the client into the spool: what arrives is checked and handed on at once, so that its
 * size costs no memory. What is wrong with it is remembered and answered at its end, where alone a client listens.
 */
import type { Clock } from "../../clock/clock.ts"
import { FaultError, fault, type Fault } from "../../faults/faults.ts"
import type { Draft, Envelope } from "../../store/spool.ts"
import type { Passage } from "../cut-through/passage.ts"
import type { Reply } from "../delivery/reply.ts"
import { ContentReader, type Ending } from "./content-reader.ts"
import { HOPS_MAX, HopCounter } from "./hop-counter.ts"
import { Pace } from "./pace.ts"

export type Taken = { readonly consumedBytes: number; readonly ended: boolean }

/** Ours: how much of a message that is already refused is still read, so that its sender can hear why. */
export const REFUSED_BYTES_MAX = 4 * 1024 * 1024

const CRLF = Buffer.from("\r\n")

/** What a message came to at its end. */
export type Finished =
  | { readonly kind: "kept" }
  /** By the friend's own server, which had it at once: taken or refused, in its own words. */
  | { readonly kind: "theirs"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly why: Fault }

type MessageOptions = {
  readonly ending: Ending
  /** Our own line, put on top. */
  readonly received: string
  /** About what the client sends. */
  readonly bytesMax: number
  readonly clock: Clock
  /** To the friend's server, if it is there. */
  readonly passage: Passage | undefined
}

export class IncomingMessage {
  readonly pace: Pace
  readonly #draft: Draft
  readonly #passage: Passage | undefined
  readonly #reader: ContentReader
  readonly #hops = new HopCounter()
  readonly #bytesMax: number
  #ours: Buffer | undefined
  #bytes = 0
  #refusedBytes = 0
  #fault: Fault | undefined
  /** Why it cannot be kept. While the friend's server listens that is no reason to refuse it. */
  #unkept: Fault | undefined

  constructor(draft: Draft, options: MessageOptions) {
    this.#draft = draft
    this.#passage = options.passage
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
    if (this.#fault) this.#passage?.reset()
    if (this.#fault) this.#refusedBytes += consumedBytes
    else await this.pace.without(this.#keep(content))
    this.pace.received(consumedBytes)
    return { consumedBytes, ended }
  }

  /** Ends it at the friend's server or, where that is away, makes it durable. Or says why not; then nothing of it is kept. */
  finish(envelope: Envelope): Promise<Finished> {
    return this.pace.without(this.#finish(envelope))
  }

  async #finish(envelope: Envelope): Promise<Finished> {
    this.#reader.finish()
    this.#check(new Uint8Array())
    if (!this.#fault) await this.#keep(this.#reader.endsInsideLine ? CRLF : new Uint8Array())
    const said = this.#fault ? undefined : await this.#passage?.finish(this.#draft.id)
    if (said?.kind === "theirs") {
      await this.#draft.discard()
      return said
    }
    this.#fault ??= this.#unkept
    if (!this.#fault) await this.#remember(this.#draft.commit(envelope))
    this.#fault ??= this.#unkept
    if (!this.#fault) return { kind: "kept" }
    await this.#draft.discard()
    return { kind: "refused", why: this.#fault }
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

  /** Both ways at once: the friend's server may go away at any moment, and then the message must be here. */
  async #keep(piece: Uint8Array): Promise<void> {
    const ours = this.#ours
    this.#ours = undefined
    if (ours) await this.#both(ours)
    await this.#both(piece)
  }

  async #both(piece: Uint8Array): Promise<void> {
    const kept = this.#unkept ? undefined : this.#remember(this.#draft.write(piece))
    await Promise.all([kept, this.#passage?.write(piece)])
    if (!this.#passage?.isLive) this.#fault ??= this.#unkept
  }

  async #remember(kept: Promise<void>): Promise<void> {
    try {
      await kept
    } catch (error) {
      this.#unkept = error instanceof FaultError ? error.fault : fault("SPOOL_FAILED", String(error))
    }
  }
}
