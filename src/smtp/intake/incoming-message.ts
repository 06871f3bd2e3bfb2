/**
 * One message on its way from the client into the spool: what arrives is checked and handed on at once, so that its
 * size costs no memory. What is wrong with it is remembered and answered at its end, where alone a client listens.
 */
import { giveBack } from "../../bytes/give-back.ts"
import type { Clock } from "../../clock/clock.ts"
import { FaultError, fault, type Fault } from "../../faults/faults.ts"
import type { Draft, Envelope } from "../../store/spool.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { Passage } from "../cut-through/passage.ts"
import type { Reply } from "../delivery/reply.ts"
import type { Authentication } from "./authentication.ts"
import { ContentReader, type Ending } from "./content-reader.ts"
import { Pace } from "./pace.ts"
import { HOPS_MAX, TraceFields } from "./trace-fields.ts"

export type Taken = { readonly consumedBytes: number; readonly ended: boolean }

/** Ours: how much of a message that is already refused is still read, so that its sender can hear why. */
export const REFUSED_BYTES_MAX = 4 * 1024 * 1024

const CRLF = Buffer.from("\r\n")
const NOTHING = new Uint8Array()

/** What a message came to at its end. */
export type Finished =
  | { readonly kind: "kept" }
  /** By the friend's own server, which had it at once: taken or refused, in its own words. */
  | { readonly kind: "theirs"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly why: Fault }

type MessageOptions = {
  readonly ending: Ending
  /** Who we are in fields of the header. */
  readonly name: Hostname
  /** Our own line, put on top. */
  readonly received: string
  /** About what the client sends. */
  readonly bytesMax: number
  readonly clock: Clock
  /** To the friend's server, if it is there. */
  readonly passage: Passage | undefined
  /** What is found out about the message goes above all of it: so none of it is passed on before all of it was here. */
  readonly authentication: Authentication | undefined
}

export class IncomingMessage {
  readonly pace: Pace
  readonly #draft: Draft
  readonly #passage: Passage | undefined
  readonly #authentication: Authentication | undefined
  readonly #reader: ContentReader
  readonly #trace: TraceFields
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
    this.#authentication = options.authentication
    this.#trace = new TraceFields(options.name)
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

  /** Takes what has arrived, up to the end of the content, and with it the memory, if none of it is left. Resolves when more may come. Never rejects. */
  async take(bytes: Uint8Array): Promise<Taken> {
    const { content, consumedBytes, ended } = this.#reader.read(bytes)
    const passed = this.#check(content)
    if (this.#fault) this.#forget()
    if (this.#fault) this.#refusedBytes += consumedBytes
    else await this.pace.without(Promise.all([this.#authentication?.write(content), this.#keep(passed)]))
    this.pace.received(consumedBytes)
    return { consumedBytes, ended }
  }

  /** Ends it at the friend's server or, where that is away, makes it durable. Or says why not; then nothing of it is kept. */
  finish(envelope: Envelope): Promise<Finished> {
    return this.pace.without(this.#finish(envelope))
  }

  async #finish(envelope: Envelope): Promise<Finished> {
    this.#reader.finish()
    this.#check(NOTHING)
    const end = this.#trace.read(this.#reader.endsInsideLine ? CRLF : NOTHING)
    if (!this.#fault) await this.#keep(Buffer.concat([end, this.#trace.finish()]))
    if (this.#fault) this.#forget()
    const top = this.#fault ? undefined : await this.#authentication?.fields()
    if (top && this.#passage?.isLive) await this.#passOn(top, this.#passage)
    const said = this.#fault ? undefined : await this.#passage?.finish(this.#draft.id)
    if (said?.kind === "theirs") {
      await this.#draft.discard()
      return said
    }
    this.#fault ??= this.#unkept
    if (!this.#fault) await this.#remember(this.#draft.commit(envelope, top))
    this.#fault ??= this.#unkept
    if (!this.#fault) return { kind: "kept" }
    await this.#draft.discard()
    return { kind: "refused", why: this.#fault }
  }

  discard(): Promise<void> {
    this.#authentication?.drop()
    return this.#draft.discard()
  }

  #forget(): void {
    this.#passage?.reset()
    this.#authentication?.drop()
  }

  /** What of the content goes on. */
  #check(content: Uint8Array): Uint8Array {
    this.#bytes += content.length
    const passed = this.#trace.read(content)
    const { refusal } = this.#reader
    const { hops } = this.#trace
    if (this.#fault) return passed
    if (refusal) this.#fault = fault(refusal, `in the content, after ${this.#bytes} bytes`)
    else if (this.#bytes > this.#bytesMax) this.#fault = fault("MESSAGE_TOO_LARGE", `more than ${this.#bytesMax} bytes`)
    else if (hops >= HOPS_MAX) this.#fault = fault("MAIL_LOOP", `${hops} Received lines`)
    return passed
  }

  /** Both ways at once: the friend's server may go away at any moment, and then the message must be here. */
  async #keep(piece: Uint8Array): Promise<void> {
    const all = this.#ours ? Buffer.concat([this.#ours, piece]) : piece
    this.#ours = undefined
    if (all.length === 0) return
    const passage = this.#authentication || !this.#passage?.isLive ? undefined : this.#passage
    const kept = this.#unkept ? undefined : this.#remember(this.#draft.write(all))
    await Promise.all([kept, passage?.write(all)])
    if (passage) passage.spent(all)
    else giveBack(all)
    if (!passage?.isLive) this.#fault ??= this.#unkept
  }

  /** All at once, now that it is known what stands above it. */
  async #passOn(top: Uint8Array, passage: Passage): Promise<void> {
    await passage.write(top)
    try {
      for await (const piece of this.#draft.content()) {
        await passage.write(piece)
        passage.spent(piece)
      }
    } catch (error) {
      this.#fault = error instanceof FaultError ? error.fault : fault("SPOOL_FAILED", String(error))
      passage.reset()
    }
  }

  async #remember(kept: Promise<void>): Promise<void> {
    try {
      await kept
    } catch (error) {
      this.#unkept = error instanceof FaultError ? error.fault : fault("SPOOL_FAILED", String(error))
    }
  }
}
