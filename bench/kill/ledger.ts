/** What was promised and what came: the two columns that have to agree. */
import { randomUUID } from "node:crypto"

export class Ledger {
  readonly #acknowledged = new Set<string>()
  readonly #arrivals = new Map<string, number>()

  /** A name for a message that no other has. */
  next(): string {
    return randomUUID()
  }

  /** The relay said 250. */
  acknowledge(id: string): void {
    this.#acknowledged.add(id)
  }

  /** The sink has the whole message and is about to say 250. */
  arrive(id: string): void {
    this.#arrivals.set(id, (this.#arrivals.get(id) ?? 0) + 1)
  }

  /** Promised, and not there. */
  get missing(): readonly string[] {
    return [...this.#acknowledged].filter((id) => !this.#arrivals.has(id))
  }

  get counts(): Counts {
    const arrivals = [...this.#arrivals]
    return {
      acknowledged: this.#acknowledged.size,
      lost: this.missing.length,
      twice: arrivals.filter(([, times]) => times > 1).length,
      unpromised: arrivals.filter(([id]) => !this.#acknowledged.has(id)).length,
    }
  }
}

export type Counts = {
  readonly acknowledged: number
  readonly lost: number
  /** Arrived more than once. */
  readonly twice: number
  /** Arrived although its sender saw no 250: he would have sent it again. */
  readonly unpromised: number
}
