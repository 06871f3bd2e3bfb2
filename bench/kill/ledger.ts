/** What was promised and what came: the two columns that have to agree. */
import { randomUUID } from "node:crypto"

export class Ledger {
  readonly #acknowledged = new Set<string>()
  readonly #arrived = new Set<string>()
  readonly #twice = new Set<string>()
  readonly #missing = new Set<string>()
  #unpromised = 0

  /** A name for a message that no other has. */
  next(): string {
    return randomUUID()
  }

  /** The relay said 250. */
  acknowledge(id: string): void {
    this.#acknowledged.add(id)
    if (this.#arrived.has(id)) this.#unpromised -= 1
    else this.#missing.add(id)
  }

  /** The sink has the whole message and is about to say 250. */
  arrive(id: string): void {
    if (this.#arrived.has(id)) return void this.#twice.add(id)
    this.#arrived.add(id)
    this.#missing.delete(id)
    if (!this.#acknowledged.has(id)) this.#unpromised += 1
  }

  /** Promised, and not there. */
  get missing(): readonly string[] {
    return [...this.#missing]
  }

  get counts(): Counts {
    return {
      acknowledged: this.#acknowledged.size,
      lost: this.#missing.size,
      twice: this.#twice.size,
      unpromised: this.#unpromised,
    }
  }
}

export type Counts = {
  readonly acknowledged: number
  /** Not there; while the run goes on: not there yet. */
  readonly lost: number
  /** Arrived more than once. */
  readonly twice: number
  /** Arrived although its sender saw no 250: he would have sent it again. */
  readonly unpromised: number
}
