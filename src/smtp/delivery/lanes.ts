/**
 * The deliveries that run: for each destination some lanes, each with one connection and one message at a time. A lane
 * ends by itself; nothing that a next hop does keeps it open beyond the deadlines of session.ts.
 */
import { giveBack } from "../../bytes/give-back.ts"
import { grace } from "../../clock/grace.ts"
import type { Log } from "../../log/log.ts"
import type { FriendName } from "../../route/route.ts"
import type { MessageId, Spool } from "../../store/spool.ts"
import { failed, type Answer } from "./answer.ts"
import { LOAN_LINGER_MS, takes, type Lent, type Loan } from "./loan.ts"
import { Destination, type Job } from "./destination.ts"
import type { Answers, How } from "./ledger.ts"
import { openCourier, type Courier } from "../transfer/courier.ts"
import { visitorOf, type Way } from "./open.ts"
import { printable } from "./reply.ts"
import type { Transaction } from "./session.ts"
import type { Visitor } from "./xclient.ts"
import { targetKey, type Target } from "./target.ts"

/** Ours: connections open at once, to all destinations; many silent ones must not keep the others waiting. */
export const LANES_MAX = 400
/** Ours: how long an open connection waits for another message. */
export const LINGER_MS = 5_000
/** Ours: a connection is closed after this many, as other mail hosts do. */
export const MESSAGES_PER_SESSION_MAX = 100
/** Ours: below the grace that service managers give. */
export const STOP_GRACE_MS = 20_000
/** Ours: what is looked at for UTF-8; longer header sections are refused at intake. */
const HEADER_BYTES_MAX = 256 * 1024

/** What becomes of a job. `notBefore`: its destination is backed off until then. `tried`: a connection was attempted. */
export type Settle = (
  job: Job,
  answers: Answers,
  how: { notBefore: number | undefined; tried: boolean },
) => Promise<void>

export type LanesOptions = {
  readonly spool: Spool
  readonly log: Log
  readonly settle: Settle
  /** Connections open at once to one friend's servers, or to one domain's. */
  readonly lanesPerFriendMax: number
}

export class Lanes {
  readonly #way: Way
  readonly #spool: Spool
  readonly #settle: Settle
  readonly #destinations = new Map<string, Destination>()
  readonly #loans = new Map<FriendName, Lent>()
  /** Lanes by whose share they are. */
  readonly #shares = new Map<string, number>()
  readonly #running = new Set<Promise<void>>()
  readonly #couriers = new Set<Courier>()
  readonly #stopping = new AbortController()
  readonly #log: Log
  readonly #lanesPerFriendMax: number
  #open = 0
  #cut = false

  constructor(way: Way, { spool, log, settle, lanesPerFriendMax }: LanesOptions) {
    this.#lanesPerFriendMax = lanesPerFriendMax
    this.#way = way
    this.#spool = spool
    this.#log = log
    this.#settle = settle
  }

  /** Takes a job over: it is settled sooner or later, at the latest by `stop`. An answer in the place of a target is final. */
  add(job: Job, target: Target | Answer): void {
    if (this.#stopping.signal.aborted) return void this.#run(this.#settle(job, NOBODY, UNTRIED))
    if (!("by" in target)) return void this.#run(this.#settle(job, everybody(job, target), { ...UNTRIED, tried: true }))
    const loan = this.#loans.get(job.message.friend)
    if (loan && takes(loan, job)) return loan.line.add(job)
    const key = targetKey(target)
    const destination = this.#destinations.get(key) ?? new Destination(target, this.#way.clock, this.#way.dice)
    this.#destinations.set(key, destination)
    destination.add(job)
    if (destination.backedOff) this.#defer(destination)
    else this.#openLanes(destination)
  }

  /** Forgets what is remembered against a friend's hosts. */
  forgive(friend: string): void {
    for (const destination of this.#destinations.values()) {
      if (destination.target.by === "route" && destination.target.friend === friend) destination.forgive()
    }
  }

  /** Gives back what no lane has taken yet. Resolves when it is given back. */
  async withdraw(ids: ReadonlySet<MessageId>): Promise<void> {
    const jobs = this.#lines.flatMap((line) => line.withdraw(ids))
    await Promise.all(jobs.map((job) => this.#run(this.#settle(job, NOBODY, UNTRIED))))
  }

  /** Lets running messages end, cuts them after a grace or when `cut` fires, and resolves when all is settled. */
  async stop(cut?: AbortSignal): Promise<void> {
    this.#stopping.abort()
    for (const line of this.#lines) {
      for (const job of line.empty()) void this.#run(this.#settle(job, NOBODY, UNTRIED))
    }
    const forget = grace(this.#way.clock, STOP_GRACE_MS, cut, () => {
      this.#cut = true
      for (const courier of this.#couriers) courier.close()
    })
    while (this.#running.size > 0) await Promise.all(this.#running)
    forget()
  }

  /** Whether a friend's mail is going over a connection of his own at the moment. */
  isLent(friend: FriendName): boolean {
    return this.#loans.has(friend)
  }

  /** Sends what is or comes in line for a friend over this session, until nothing comes for a moment or it breaks. */
  lend(loan: Loan): Promise<void> {
    const { session, friend } = loan
    if (this.#stopping.signal.aborted || this.isLent(friend)) return session.quit()
    const target = {
      by: "route",
      friend,
      hops: [],
      tls: "opportunistic",
      xclient: false,
      domain: this.#way.name,
    } as const
    const lent = { ...loan, line: new Destination(target, this.#way.clock, this.#way.dice) }
    this.#loans.set(friend, lent)
    this.#couriers.add(session)
    for (const { line, job } of this.#inLineFor(friend)) this.add(job, line.target)
    return this.#run(this.#lent(lent))
  }

  #inLineFor(friend: FriendName): readonly { readonly line: Destination; readonly job: Job }[] {
    const lines = [...this.#destinations.values()].filter(
      ({ target }) => target.by === "route" && target.friend === friend,
    )
    return lines.flatMap((line) => line.empty().map((job) => ({ line, job })))
  }

  async #lent({ friend, session, line }: Lent): Promise<void> {
    try {
      const next = async (): Promise<Job | undefined> => line.take() ?? (await line.wait(LOAN_LINGER_MS))
      for (let job = await next(); job; job = session.usable ? await next() : undefined) {
        const { answers } = await this.#deliver(job, session, undefined)
        const kept = this.#stopping.signal.aborted ? withoutLater(answers) : answers
        await this.#run(this.#settle(job, kept, { notBefore: undefined, tried: true }))
        if (this.#stopping.signal.aborted) break
      }
    } finally {
      this.#loans.delete(friend)
      for (const job of line.empty()) void this.#run(this.#settle(job, NOBODY, UNTRIED))
      this.#leave(session)
    }
  }

  get #lines(): readonly Destination[] {
    return [...this.#destinations.values(), ...[...this.#loans.values()].map(({ line }) => line)]
  }

  #run(work: Promise<void>): Promise<void> {
    const running: Promise<void> = work
      .catch((error: unknown) => this.#log.error("delivery-broke", { why: String(error) }))
      .finally(() => this.#running.delete(running))
    this.#running.add(running)
    return running
  }

  #openLanes(destination: Destination): void {
    while (destination.wantsLane && this.#open < LANES_MAX && this.#mayOpen(destination.target)) {
      this.#count(destination, 1)
      void this.#run(this.#lane(destination))
    }
  }

  /** A friend's servers share what is allowed for him; so do the hosts of one domain that is reached by MX. */
  #mayOpen(target: Target): boolean {
    return !this.#stopping.signal.aborted && (this.#shares.get(shareKey(target)) ?? 0) < this.#lanesPerFriendMax
  }

  #count(destination: Destination, more: 1 | -1): void {
    const key = shareKey(destination.target)
    const lanes = (this.#shares.get(key) ?? 0) + more
    if (lanes > 0) this.#shares.set(key, lanes)
    else this.#shares.delete(key)
    destination.lanes += more
    this.#open += more
  }

  async #lane(destination: Destination): Promise<void> {
    let courier: Courier | undefined
    let recorded: Promise<void> | undefined
    try {
      for (let job = destination.take(); job; job = destination.take() ?? (await this.#linger(destination, courier))) {
        if (courier && courier.messages >= MESSAGES_PER_SESSION_MAX) courier = this.#leave(courier)
        const before = recorded
        ;({ courier, recorded } = await this.#attempt(job, destination, courier))
        await before // one message ahead of the disk, and no more
      }
      if (courier) this.#leave(courier)
    } finally {
      this.#count(destination, -1)
      this.#sweep()
    }
  }

  async #linger(destination: Destination, courier: Courier | undefined): Promise<Job | undefined> {
    return courier && !this.#stopping.signal.aborted ? destination.wait(LINGER_MS) : undefined
  }

  /** Forgets destinations of which nothing is worth remembering; the others may have waited for a lane to end. */
  #sweep(): void {
    for (const [key, destination] of this.#destinations) {
      if (destination.idle) this.#destinations.delete(key)
      else this.#openLanes(destination)
    }
  }

  #leave(courier: Courier): undefined {
    void this.#run(courier.quit().finally(() => this.#couriers.delete(courier)))
  }

  /** Delivers one job and begins to settle it. */
  async #attempt(job: Job, destination: Destination, lingering: Courier | undefined): Promise<Attempted> {
    const { round, target } = destination
    const told = target.by === "route" && target.xclient
    const visitor = told ? await visitorOf(job.message.client, this.#way) : undefined
    if (lingering && visitor && !lingering.isFor(visitor)) lingering = this.#leave(lingering)
    const courier = lingering ?? (await this.#connect(destination))
    if ("kind" in courier) {
      destination.failed(round, courier)
      return { courier: undefined, recorded: this.#settleTried(job, everybody(job, courier), destination) }
    }
    const { answers, spoke } = await this.#deliver(job, courier, visitor)
    if (!courier.usable) this.#couriers.delete(courier)
    // A connection that waited for this message may have been closed meanwhile: that says nothing about the next hop.
    if (lingering && !courier.usable && !spoke && !this.#cut) return this.#attempt(job, destination, undefined)
    this.#remember(destination, { round, answers, dead: !courier.usable })
    return { courier: courier.usable ? courier : undefined, recorded: this.#settleTried(job, answers, destination) }
  }

  async #connect(destination: Destination): Promise<Courier | Answer> {
    const { forgiven, target } = destination
    const opened = await openCourier(target, this.#way, this.#stopping.signal)
    if (!("kind" in opened)) {
      this.#couriers.add(opened)
      return opened
    }
    // The friend came back while the old way was being tried.
    return destination.forgiven === forgiven ? opened : this.#connect(destination)
  }

  async #deliver(job: Job, courier: Courier, visitor: Visitor | undefined): Promise<Transaction> {
    const { message, recipients } = job
    const content = begun(this.#spool.content(message.id))
    const headerIsAscii = async (): Promise<boolean> =>
      (await this.#spool.header(message.id, HEADER_BYTES_MAX)).every((byte) => byte < 0x80)
    try {
      return await courier.deliver({ message, recipients, content, spent: giveBack, visitor, headerIsAscii })
    } catch (error) {
      courier.close()
      return { answers: everybody(job, failed("later", "SPOOL_FAILED", printable(String(error)))), spoke: true }
    }
  }

  #remember(destination: Destination, came: { round: number; answers: Answers; dead: boolean }): void {
    const [first] = came.answers.values()
    if (came.dead && first?.kind === "later" && !first.reply) destination.died(came.round, first)
    else destination.worked()
  }

  #settleTried(job: Job, answers: Answers, destination: Destination): Promise<void> {
    const away = destination.backedOff
    if (away) this.#defer(destination)
    else this.#openLanes(destination)
    // What was cut because we stop is as if it had not begun.
    const kept = this.#stopping.signal.aborted ? withoutLater(answers) : answers
    return this.#run(this.#settle(job, kept, { notBefore: away?.until, tried: true }))
  }

  /** The destination is known to be away: no connection is spent on what waits for it. */
  #defer(destination: Destination): void {
    const away = destination.backedOff
    if (!away) return
    for (const job of destination.empty())
      void this.#run(this.#settle(job, everybody(job, away.why), { notBefore: away.until, tried: false }))
  }
}

/** `courier`: good for another message. `recorded`: resolves when the spool knows. */
type Attempted = { readonly courier: Courier | undefined; readonly recorded: Promise<void> }

/** Content of which the first piece is read at once, while the next hop still thinks about the envelope. */
function begun(content: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const pieces = content[Symbol.asyncIterator]()
  const first = pieces.next()
  first.catch(() => {}) // told to whoever reads it
  return (async function* () {
    for (let piece = await first; !piece.done; piece = await pieces.next()) yield piece.value
  })()
}

/** Whose share of connections a target's are. */
function shareKey(target: Target): string {
  return target.by === "route" ? `friend ${target.friend}` : `domain ${target.domain}`
}

/** No connection was spent, nothing is known: everything stays as it was. */
const UNTRIED: How = { notBefore: undefined, tried: false }
const NOBODY: Answers = new Map()

function everybody({ recipients }: Job, answer: Answer): Answers {
  return new Map(recipients.map(({ address }) => [address, answer]))
}

function withoutLater(answers: Answers): Answers {
  return new Map([...answers].filter(([, answer]) => answer.kind !== "later"))
}
