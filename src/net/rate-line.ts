/**
 * Those whom a rate holds back, in the order in which they came. Nothing is dropped: who is held does not read, and so its
 * sender stops. Everybody in line gets the same at each refill, and whoever wants more stands in line again.
 */
import { GRANT_BYTES_MIN, type Tokens } from "./bucket.ts"
import type { Deadlines, Expiring } from "./deadlines.ts"

/** One direction of a connection under a rate. */
export interface Held {
  /** Bytes that it may still read; only the line and `spend` write it. */
  creditBytes: number
  /** Its turn has come: it may read. */
  goOn(): void
}

/** Ours: the next turn of the wheel but one; each is DEADLINE_RESOLUTION_MS. */
const REFILL_MS = 1

export class RateLine implements Expiring {
  dueTick = 0
  slotPlace = 0
  readonly #tokens: Tokens
  readonly #deadlines: Deadlines
  readonly #waiting = new Set<Held>()
  /** Who has credit. What is not used by the next refill goes back, or the quiet would hoard it. */
  readonly #granted = new Set<Held>()

  constructor(tokens: Tokens, deadlines: Deadlines) {
    this.#tokens = tokens
    this.#deadlines = deadlines
  }

  /** Whether who has read `readBytes` may read on; otherwise it must stop until `goOn`. */
  spend(held: Held, readBytes: number): boolean {
    held.creditBytes -= readBytes
    if (held.creditBytes > 0) return true
    this.#settle(held)
    // Nobody overtakes those who wait.
    if (this.#waiting.size === 0) this.#grant(held, GRANT_BYTES_MIN)
    if (held.creditBytes > 0) return true
    this.#waiting.add(held)
    this.#expectRefill()
    return false
  }

  /** It reads no more. */
  leave(held: Held): void {
    this.#settle(held)
    this.#waiting.delete(held)
  }

  /** The rate is no more: everybody goes on. */
  open(): void {
    for (const held of this.#granted) this.#settle(held)
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    this.#deadlines.forget(this)
    for (const held of waiting) held.goOn()
  }

  expired(): void {
    for (const held of this.#granted) this.#settle(held)
    const served = this.#served()
    if (this.#waiting.size > 0 || this.#granted.size > 0) this.#expectRefill()
    for (const held of served) held.goOn()
  }

  /** Those in line for whom there is something, each with the same. */
  #served(): readonly Held[] {
    const all = this.#tokens.take(Number.MAX_SAFE_INTEGER)
    this.#tokens.giveBack(all)
    const eachBytes = all / Math.max(1, this.#waiting.size)
    const served: Held[] = []
    for (const held of this.#waiting) {
      this.#grant(held, eachBytes)
      if (held.creditBytes === 0) break
      this.#waiting.delete(held)
      served.push(held)
    }
    return served
  }

  #grant(held: Held, wantBytes: number): void {
    held.creditBytes = this.#tokens.take(wantBytes)
    if (held.creditBytes === 0) return
    this.#granted.add(held)
    this.#expectRefill()
  }

  #settle(held: Held): void {
    this.#tokens.giveBack(held.creditBytes)
    held.creditBytes = 0
    this.#granted.delete(held)
  }

  #expectRefill(): void {
    if (this.dueTick === 0) this.#deadlines.set(this, REFILL_MS)
  }
}
