/** What was promised and what came: the two columns that have to agree. */
import { randomUUID } from "node:crypto"

export class Ledger {
  readonly #acknowledged = new Set<string>()
  /** In which life of the box. */
  readonly #arrived = new Map<string, number>()
  readonly #twice = new Set<string>()
  /** Goes up with every box that is killed: what its server took unheard may come again. */
  boxLife = 0
  #twiceInOneLife = 0
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

  /** The sink has the whole message and is about to say 250; `boxLife`: when the connection was made that it came over. */
  arrive(id: string, boxLife: number): void {
    const before = this.#arrived.get(id)
    this.#arrived.set(id, boxLife)
    if (before === boxLife) this.#twiceInOneLife += 1
    if (before !== undefined) return void this.#twice.add(id)
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
      twiceInOneLife: this.#twiceInOneLife,
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
  /** Arrived more than once although the box was not killed in between. */
  readonly twiceInOneLife: number
  /** Arrived although its sender saw no 250: he would have sent it again. */
  readonly unpromised: number
}
