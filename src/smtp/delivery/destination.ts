/**
 * One target's queue and the relay's memory of it. A host that is down costs one failed connection for each back-off,
 * however much mail waits for it; after a back-off one delivery tries, and the rest follow when it comes through.
 */
import type { Clock, Instant } from "../../clock/clock.ts"
import type { KeptMessage, KeptRecipient, MessageId } from "../../store/spool.ts"
import type { Answer } from "./answer.ts"
import { RETRY_LONGEST_MS, retryDelayMs, type Dice } from "./back-off.ts"
import type { Target } from "./target.ts"

/** One message and those of its recipients who are due and share a target. */
export type Job = { readonly message: KeptMessage; readonly recipients: readonly KeptRecipient[] }

/** Ours: this many sessions in a row that die amid a message count as a failed connection. */
export const DEATHS_IN_A_ROW_MAX = 5

/** Ours: how long after the end of a back-off its length is remembered. */
const MEMORY_MS = 2 * RETRY_LONGEST_MS

export class Destination {
  readonly target: Target
  /** Deliveries that run or linger. */
  lanes = 0
  /** Goes up with every `forgive`: whoever failed before that may try again. */
  forgiven = 0
  readonly #clock: Clock
  readonly #dice: Dice
  readonly #queue: Job[] = []
  #waiting: ((job: Job | undefined) => void)[] = []
  #failures = 0
  #until: Instant = 0
  #lastFailure: Answer | undefined
  #round = 0
  #deaths = 0

  constructor(target: Target, clock: Clock, dice: Dice) {
    this.target = target
    this.#clock = clock
    this.#dice = dice
  }

  /** Why nothing may be tried and until when; `undefined` if it may. */
  get backedOff(): { readonly until: Instant; readonly why: Answer } | undefined {
    const why = this.#clock.now() < this.#until ? this.#lastFailure : undefined
    return why && { until: this.#until, why }
  }

  /** Another lane would have something to do and may be opened. */
  get wantsLane(): boolean {
    return this.#queue.length > 0 && (this.#failures === 0 || this.lanes === 0)
  }

  /** Nothing to do and nothing worth remembering. */
  get idle(): boolean {
    return this.lanes === 0 && this.#queue.length === 0 && this.#clock.now() >= this.#until + MEMORY_MS
  }

  /** Which failure an attempt that begins now may report: several that fail together count once. */
  get round(): number {
    return this.#round
  }

  add(job: Job): void {
    const lane = this.#waiting.shift()
    if (lane) lane(job)
    else this.#queue.push(job)
  }

  take(): Job | undefined {
    return this.#queue.shift()
  }

  /** The next job, or `undefined` when none came in time. */
  wait(delayMs: number): Promise<Job | undefined> {
    return new Promise((resolve) => {
      const settle = (job: Job | undefined): void => {
        forget()
        this.#waiting = this.#waiting.filter((other) => other !== settle)
        resolve(job)
      }
      const forget = this.#clock.after(delayMs, () => settle(undefined))
      this.#waiting.push(settle)
    })
  }

  /** Sends lingering lanes home and takes everything out of the queue. */
  empty(): readonly Job[] {
    for (const lane of this.#waiting) lane(undefined)
    return this.#queue.splice(0)
  }

  /** Takes the jobs of these messages out of the queue. */
  withdraw(ids: ReadonlySet<MessageId>): readonly Job[] {
    const withdrawn = this.#queue.filter(({ message }) => ids.has(message.id))
    this.#queue.splice(0, Infinity, ...this.#queue.filter(({ message }) => !ids.has(message.id)))
    return withdrawn
  }

  /** A connection came about, or a message went through. */
  worked(): void {
    this.#failures = 0
    this.#until = 0
    this.#deaths = 0
  }

  /** No connection came about. `round` is what it was when the attempt began. */
  failed(round: number, why: Answer): void {
    if (round !== this.#round) return
    this.#round += 1
    this.#failures += 1
    this.#deaths = 0
    this.#lastFailure = why
    this.#until = this.#clock.now() + retryDelayMs(this.#failures, this.#dice)
  }

  /** A session died before a message was through; too many in a row are a failure of the destination. */
  died(round: number, why: Answer): void {
    this.#deaths += 1
    if (this.#deaths >= DEATHS_IN_A_ROW_MAX) this.failed(round, why)
  }

  /** The friend is back: whatever was remembered is wrong now. */
  forgive(): void {
    this.forgiven += 1
    this.#round += 1
    this.worked()
  }
}
