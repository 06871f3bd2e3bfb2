/**
 * Memory to read into. A quiet connection owns none: it reads into one buffer shared by all, and what arrives there is
 * copied before it is handed on, because every socket keeps the pointer it was given and the next one reads over it. A
 * connection whose reads come back full borrows a large buffer of its own, which is handed on without copying.
 */

/** Ours: a ClientHello, a mail command, a chat message. At this size Node copies out of a pool and allocates nothing. */
export const SHARED_READ_BYTES = 4 * 1024
/** Ours: what a busy connection reads at once; each size is tried when the one before came back full. */
const LARGE_READ_BYTES = [64 * 1024, 256 * 1024] as const
/** Ours: what all connections together may borrow of one size. Beyond it they stay with the size below. */
const LENT_BYTES_MAX = 32 * 1024 * 1024
/** Ours: what is kept for the next borrower, of one size. */
const KEPT_BYTES_MAX = 8 * 1024 * 1024

/**
 * Ours: above anything that is written at once, so that a stream never counts a write as too much and makes an event of
 * it. It holds no memory: whoever reads for a splice stops while a single write is not done.
 */
export const SPLICED_HIGH_WATER_MARK_BYTES = 1024 * 1024

export type ReadBuffer = { readonly bytes: Uint8Array; readonly level: number }

export class ReadBuffers {
  readonly shared: ReadBuffer = { bytes: Buffer.allocUnsafeSlow(SHARED_READ_BYTES), level: 0 }
  readonly #shelves = LARGE_READ_BYTES.map((sizeBytes) => new Shelf(sizeBytes))

  /** The buffer to read into next, after `readBytes` came in: a larger one, a smaller one, or the same. */
  after(used: ReadBuffer, readBytes: number): ReadBuffer {
    if (readBytes === used.bytes.length) return this.#larger(used)
    return readBytes < SHARED_READ_BYTES ? this.giveBack(used) : used
  }

  /** Takes a borrowed buffer back; nobody may still be writing from it. Answers with the shared one. */
  giveBack(used: ReadBuffer): ReadBuffer {
    this.#shelves[used.level - 1]?.keep(used.bytes)
    return this.shared
  }

  #larger(used: ReadBuffer): ReadBuffer {
    const bytes = this.#shelves[used.level]?.lend()
    if (!bytes) return used
    this.giveBack(used)
    return { bytes, level: used.level + 1 }
  }
}

class Shelf {
  readonly #sizeBytes: number
  readonly #kept: Uint8Array[] = []
  #lent = 0

  constructor(sizeBytes: number) {
    this.#sizeBytes = sizeBytes
  }

  lend(): Uint8Array | undefined {
    if ((this.#lent + 1) * this.#sizeBytes > LENT_BYTES_MAX) return undefined
    this.#lent += 1
    return this.#kept.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes)
  }

  keep(bytes: Uint8Array): void {
    this.#lent -= 1
    if ((this.#kept.length + 1) * this.#sizeBytes <= KEPT_BYTES_MAX) this.#kept.push(bytes)
  }
}
