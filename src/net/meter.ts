/**
 * Connections that are counted together and may share one rate: a friend's. Counting costs nothing for a byte: running
 * connections are added up when somebody asks.
 */
import type { Tokens } from "./bucket.ts"
import { Crowd } from "./crowd.ts"
import type { Deadlines } from "./deadlines.ts"
import { RateLine } from "./rate-line.ts"

export type Counts = {
  /** Running now. */
  readonly connections: number
  /** Of all, running ones included. */
  readonly bytesToBackend: number
  readonly bytesToVisitor: number
}

/** A running connection. */
export interface Counted {
  /** Only its meter writes it. */
  meterPlace: number
  readonly bytesToBackend: number
  readonly bytesToVisitor: number
}

export type MeterOptions = {
  readonly tokens: Tokens
  readonly deadlines: Deadlines
  /** What is counted elsewhere. */
  readonly more?: () => Counts
}

export class Meter {
  readonly #options: MeterOptions
  readonly #running = new Crowd<"meterPlace", Counted>("meterPlace")
  #bytesToBackend = 0
  #bytesToVisitor = 0
  #line: RateLine | undefined

  constructor(options: MeterOptions) {
    this.#options = options
  }

  /** What holds its connections back; `undefined`: nothing does. Ask each time: it comes and goes with the rate. */
  get line(): RateLine | undefined {
    return this.#line
  }

  counts(): Counts {
    const more = this.#options.more?.() ?? NOTHING
    const counts = {
      connections: more.connections + this.#running.size,
      bytesToBackend: more.bytesToBackend + this.#bytesToBackend,
      bytesToVisitor: more.bytesToVisitor + this.#bytesToVisitor,
    }
    for (const { bytesToBackend, bytesToVisitor } of this.#running.members) {
      counts.bytesToBackend += bytesToBackend
      counts.bytesToVisitor += bytesToVisitor
    }
    return counts
  }

  /** For all connections together and both directions, running ones included. `undefined`: as fast as it goes. */
  limit(bytesPerSecond: number | undefined): void {
    const { tokens, deadlines } = this.#options
    tokens.limit(bytesPerSecond)
    const line = this.#line
    this.#line = bytesPerSecond === undefined ? undefined : (line ?? new RateLine(tokens, deadlines))
    if (!this.#line) line?.open()
  }

  /** Bytes that were read before anything could hold them back, and pass first. */
  charge(bytes: number): void {
    if (this.#line) this.#options.tokens.giveBack(-bytes)
  }

  enter(counted: Counted): void {
    this.#running.add(counted)
  }

  /** It has ended. */
  leave(counted: Counted): void {
    this.#running.remove(counted)
    this.#bytesToBackend += counted.bytesToBackend
    this.#bytesToVisitor += counted.bytesToVisitor
  }
}

const NOTHING: Counts = { connections: 0, bytesToBackend: 0, bytesToVisitor: 0 }
