/**
 * A draft whose content is sealed on its way to the spool. What fits into memory waits there, so that mail which passes through
 * to the friend's server costs no encryption; nothing reaches the disk that is not sealed.
 */
import { FaultError, fault } from "../../faults/faults.ts"
import type { Draft, Envelope, MessageId } from "../../store/spool.ts"
import type { AgeRecipient } from "../../names/age-recipient.ts"
import { sealer, type Sealer } from "../../seal/seal.ts"

/** As the spool's own buffer of a draft (sqlite-spool.ts). */
const HELD_BYTES_MAX = 64 * 1024

export class SealedDraft implements Draft {
  readonly id: MessageId
  readonly #draft: Draft
  readonly #to: AgeRecipient
  #held: Uint8Array[] = []
  #heldBytes = 0
  #sealer: Promise<Sealer> | undefined

  constructor(draft: Draft, to: AgeRecipient) {
    this.id = draft.id
    this.#draft = draft
    this.#to = to
  }

  async write(piece: Uint8Array): Promise<void> {
    const own = Buffer.from(piece) // age reads what it was given later
    if (this.#sealer) return asFault((await this.#sealer).write(own))
    this.#held.push(own)
    this.#heldBytes += piece.length
    if (this.#heldBytes > HELD_BYTES_MAX) await this.#seal()
  }

  /** Never asked for: routes that put something above the content are not sealed (route-checks.ts). */
  content(): AsyncIterable<Uint8Array> {
    throw new FaultError(fault("SPOOL_FAILED", "what is sealed cannot be read here"))
  }

  async commit(envelope: Envelope, top?: Uint8Array): Promise<void> {
    if (top) throw new FaultError(fault("SPOOL_FAILED", "nothing can be put above what is sealed"))
    await asFault((await this.#seal()).end())
    await this.#draft.commit({ ...envelope, sealed: true })
  }

  async discard(): Promise<void> {
    this.#held = []
    await this.#sealer?.then((begun) => begun.abort()).catch(() => {})
    await this.#draft.discard()
  }

  /** Begins to seal, with what was held until now. */
  async #seal(): Promise<Sealer> {
    this.#sealer ??= sealer(this.#to, (sealed) => this.#draft.write(sealed))
    const begun = await this.#sealer
    for (const piece of this.#held.splice(0)) await asFault(begun.write(piece))
    return begun
  }
}

async function asFault(work: Promise<void>): Promise<void> {
  try {
    await work
  } catch (error) {
    throw error instanceof FaultError ? error : new FaultError(fault("SPOOL_FAILED", String(error)))
  }
}
