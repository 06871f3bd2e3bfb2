/**
 * Takes mail out of the spool and to where it belongs. This file decides who is looked at and when; lanes.ts runs the
 * deliveries, session.ts speaks, decide.ts draws the conclusions, ledger.ts records them. The spool alone is memory
 * that lasts: whatever is in here may be lost with the process.
 */
import type { Duplex } from "node:stream"
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import type { SocketAddress } from "../../names/endpoint.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import type { FriendName } from "../../route/route.ts"
import type { Except, KeptMessage, KeptRecipient, MessageId, Spool } from "../../store/spool.ts"
import type { TlsOutcome } from "../tls-report/outcome.ts"
import type { PublishedTls } from "../trust/published-tls.ts"
import { Alarm } from "./alarm.ts"
import { failed, type Answer } from "./answer.ts"
import type { Dice } from "./back-off.ts"
import type { DeliveredJournal } from "./delivered-journal.ts"
import type { Job } from "./destination.ts"
import { dialTcp, type Dial, type ReachBox } from "./dial.ts"
import { Lanes, type Settle } from "./lanes.ts"
import type { Loan } from "./loan.ts"
import { openSession, Session } from "./session.ts"
import { Ledger, type Answers, type How } from "./ledger.ts"
import { systemMxResolver, type MxResolver } from "./mx.ts"
import { FORGET_EVERY_MS, forgetUntold } from "./not-told.ts"
import type { Way } from "./open.ts"
import type { VisitorName } from "./xclient.ts"
import { targetKey, targetOf, type RouteOf, type Target } from "./target.ts"
import { tellEverybody, type MayTell } from "./tell-sender.ts"

export type DeliveryOptions = {
  readonly spool: Spool
  /** EHLO name, and who notices are from. */
  readonly name: Hostname
  readonly routeOf: RouteOf
  readonly clock: Clock
  readonly log: Log
  readonly limits: DeliveryLimits
  /** Where this relay listens for mail; wildcards allowed. A next hop that is one of them is a loop. */
  readonly ownAddresses?: readonly SocketAddress[]
  /** Plain TCP unless given. */
  readonly dial?: Dial
  /** How mail is handed to boxes as a whole; without it they are spoken to in SMTP. */
  readonly reachBox?: ReachBox
  /** The system's unless given. Asked for notices to senders only. */
  readonly resolver?: MxResolver
  /** What hosts publish about their TLS; without it nothing is looked up, and `dane-only` sends nothing. */
  readonly published?: PublishedTls
  /** Told what came of TLS with hosts that are held to what they publish, for reports. */
  readonly judged?: (outcome: TlsOutcome) => void
  /** The name behind an address, for routes that ask for XCLIENT. */
  readonly nameBehind?: (address: IpAddress) => Promise<VisitorName>
  readonly dice?: Dice
  /** Of the same state folder as the spool. Without it a relay that is killed sends some mail twice. */
  readonly journal?: DeliveredJournal
  /** PEM certificates that `verify` trusts instead of the public authorities. */
  readonly ca?: readonly string[]
  /** Everybody unless given. */
  readonly mayTell?: MayTell
  /** Told what came of every recipient, for counting. */
  readonly answered?: (friend: FriendName, answer: Answer) => void
}

export type DeliveryLimits = {
  readonly connectDeadlineMs: number
  readonly mailLifetimeMs: number
  readonly deliveriesPerFriendMax: number
}

export interface MailDelivery {
  /** Begins with what the spool holds. */
  start(): void
  /** Something was accepted. */
  nudge(): void
  /**
   * The friend is back: forgets what is remembered against his hosts and brings his mail forward, oldest first.
   * Resolves to how many recipients had been waiting.
   */
  wake(friend: FriendName): Promise<number>
  /** The operator wants these tried now, whatever is remembered against their hosts. Resolves to how many recipients of each had been waiting. */
  hurry(messages: readonly KeptMessage[]): Promise<readonly number[]>
  /** These were held, redirected or deleted in the spool: no new try for what they were begins. One that is under way goes on. */
  withdraw(ids: ReadonlySet<MessageId>): Promise<void>
  /**
   * Ends a message that is held, for all of its recipients who are not done, as if its next hop had refused it: its sender is told where he may
   * be, else it stays held. Resolves to how many recipients; none while it is being sent at this very moment.
   */
  refuse(id: MessageId, reason: string): Promise<number>
  /** Whether a friend's mail is being fetched at the moment. */
  isFetched(friend: FriendName): boolean
  /**
   * Delivers what waits for a friend over a connection that his server has opened and turned round (RFC 2645). Resolves when that is done,
   * or the connection has ended.
   */
  fetch(fetched: Fetched): Promise<void>
  /** Begins nothing new. Resolves when what was running is recorded; what takes too long, or runs when `cut` fires, is cut and comes again. */
  stop(cut?: AbortSignal): Promise<void>
}

/** `secure`: TLS runs on it already, in which the friend's server was the client. */
export type Fetched = Omit<Loan, "session"> & { readonly socket: Duplex; readonly secure: boolean }

/** Ours: messages of one friend in memory; the rest stays in the spool, and nobody else waits behind it. */
export const HELD_PER_FRIEND_MAX = 200
/** Ours: messages read at a time. */
const BATCH = 100
/** Ours: how often the spool is asked while it names something as due that is in memory already. */
const LOOK_AGAIN_MS = 5_000
/** Ours: timers are not trusted for longer. */
const ALARM_MS_MAX = 3_600_000

export function mailDelivery(options: DeliveryOptions): MailDelivery {
  return new Scheduler(options)
}

/** How next hops are reached, for whoever passes mail on beside the queue too. */
export function wayOf(options: Omit<DeliveryOptions, "spool" | "routeOf" | "log">): Way {
  const { name, clock, limits, ca, published, judged, nameBehind, reachBox, dice = Math.random } = options
  const { ownAddresses = [], dial = dialTcp, resolver = systemMxResolver } = options
  const { connectDeadlineMs } = limits
  const asked = { published, judged, nameBehind }
  return { name, ownAddresses, dial, reachBox, resolver, ...asked, clock, dice, ca, connectDeadlineMs }
}

class Scheduler implements MailDelivery {
  readonly #options: DeliveryOptions
  readonly #alarm: Alarm
  readonly #forgetting: Alarm
  readonly #lanes: Lanes
  readonly #ledger: Ledger
  readonly #held = new Held()
  readonly #stopping = new AbortController()
  #looking: Promise<void> | undefined
  #lookAgain = false
  #replayed = false

  constructor(options: DeliveryOptions) {
    const { spool, name, clock, log, limits, journal, dice = Math.random, mayTell = tellEverybody } = options
    this.#options = options
    this.#alarm = new Alarm(clock)
    this.#forgetting = new Alarm(clock)
    const teller = { spool, name, clock, log, mailLifetimeMs: limits.mailLifetimeMs, mayTell }
    this.#ledger = new Ledger(teller, { dice, journal, answered: options.answered })
    const settle: Settle = (job, answers, how) => this.#settle(job, answers, how)
    this.#lanes = new Lanes(wayOf(options), { spool, log, settle, lanesPerFriendMax: limits.deliveriesPerFriendMax })
  }

  start(): void {
    this.#forgetOld()
    this.nudge()
  }

  #forgetOld(): void {
    const { spool, clock, limits, log } = this.#options
    if (this.#stopping.signal.aborted) return
    this.#forgetting.set(FORGET_EVERY_MS, () => {
      forgetUntold(spool, clock.now(), limits.mailLifetimeMs, log)
        .catch((error: unknown) => log.error("spool-unreadable", { why: String(error) }))
        .finally(() => this.#forgetOld())
    })
  }

  nudge(): void {
    if (this.#stopping.signal.aborted) return
    this.#lookAgain = true
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
      if (this.#lookAgain) this.nudge()
    })
  }

  async wake(friend: FriendName): Promise<number> {
    this.#lanes.forgive(friend)
    const woken = await this.#options.spool.wake(friend, this.#options.clock.now())
    this.nudge()
    return woken
  }

  async hurry(messages: readonly KeptMessage[]): Promise<readonly number[]> {
    const { spool, clock } = this.#options
    for (const friend of new Set(messages.map((message) => message.friend))) this.#lanes.forgive(friend)
    const hurried = await Promise.all(messages.map(({ id }) => spool.hurry(id, clock.now())))
    this.nudge()
    return hurried
  }

  withdraw(ids: ReadonlySet<MessageId>): Promise<void> {
    return this.#lanes.withdraw(ids)
  }

  async refuse(id: MessageId, reason: string): Promise<number> {
    await this.withdraw(new Set([id]))
    const message = await this.#options.spool.find(id)
    if (!message || this.#held.has(message)) return 0
    const recipients = message.recipients.filter(({ attempt }) => attempt.at === "held")
    const refused = failed("refused", "REFUSED_BY_HAND", reason)
    const answers = new Map(recipients.map(({ address }) => [address, refused]))
    await this.#ledger.record({ message, recipients }, answers, BY_HAND, this.#stopping.signal)
    this.nudge() // the notice
    return recipients.length
  }

  isFetched(friend: FriendName): boolean {
    return this.#lanes.isLent(friend)
  }

  async fetch({ socket, secure, ...loan }: Fetched): Promise<void> {
    const { name, clock, log } = this.#options
    const host = `the server that fetches for ${loan.friend}`
    const about = { name, clock, signal: this.#stopping.signal, host, peerName: undefined, tlsOptions: {} }
    const session = await openSession(socket, { ...about, tls: "plain", secured: secure })
    if (!(session instanceof Session)) return log.info("mail-not-fetched", { friend: loan.friend, why: session.detail })
    const ended = this.#lanes.lend({ ...loan, session })
    const messages = await this.wake(loan.friend)
    log.info("mail on its way home", { friend: loan.friend, messages })
    await ended
  }

  async stop(cut?: AbortSignal): Promise<void> {
    this.#stopping.abort()
    this.#alarm.clear()
    this.#forgetting.clear()
    await this.#looking
    await this.#lanes.stop(cut)
  }

  async #settle(job: Job, answers: Answers, how: How): Promise<void> {
    try {
      await this.#ledger.record(job, answers, how, this.#stopping.signal)
    } finally {
      if (this.#held.release(job.message)) this.nudge()
    }
  }

  /** Reads who is due until there is nobody new, then sets the alarm for the next. */
  async #look(): Promise<void> {
    try {
      if (!this.#replayed) await this.#ledger.replay()
      this.#replayed = true
      while (this.#lookAgain && !this.#stopping.signal.aborted) {
        this.#lookAgain = false
        while (await this.#readBatch());
        if (!this.#lookAgain) await this.#setAlarm()
      }
    } catch (error) {
      this.#lookAgain = false
      this.#options.log.error("spool-unreadable", { why: String(error) })
      this.#wakeIn(LOOK_AGAIN_MS)
    }
  }

  /** True if there may be more. */
  async #readBatch(): Promise<boolean> {
    const { spool, clock } = this.#options
    const asked = this.#held.ask()
    const due = await spool.due(clock.now(), BATCH, asked)
    if (this.#stopping.signal.aborted) return false
    const fresh = due.filter((message) => this.#held.isNew(message))
    for (const message of fresh) this.#accept(message)
    return fresh.length > 0 && due.length >= BATCH
  }

  async #setAlarm(): Promise<void> {
    const next = await this.#options.spool.nextDue()
    if (next === undefined) return
    const leftMs = next - this.#options.clock.now()
    if (leftMs > 0) this.#wakeIn(Math.min(leftMs, ALARM_MS_MAX))
    else if (this.#held.isEmpty) this.#lookAgain = true
    else this.#wakeIn(LOOK_AGAIN_MS)
  }

  #wakeIn(delayMs: number): void {
    if (!this.#stopping.signal.aborted) this.#alarm.set(delayMs, () => this.nudge())
  }

  /** Sorts the recipients who are due by where their mail goes. */
  #accept(message: KeptMessage): void {
    const { clock, routeOf } = this.#options
    const jobs = new Map<string, { readonly to: Target | Answer; readonly recipients: KeptRecipient[] }>()
    for (const recipient of message.recipients.filter((one) => isDue(one, clock.now()))) {
      const to = targetOf(message.friend, recipient.address, routeOf)
      const key = "by" in to ? targetKey(to) : to.kind
      const { recipients } = jobs.get(key) ?? { recipients: [] }
      jobs.set(key, { to, recipients: [...recipients, recipient] })
    }
    this.#held.hold(message, jobs.size)
    for (const { to, recipients } of jobs.values()) this.#lanes.add({ message, recipients }, to)
  }
}

const BY_HAND: How = { notBefore: undefined, tried: true }

function isDue({ attempt }: KeptRecipient, now: Instant): boolean {
  return attempt.at === "waiting" && attempt.until <= now
}

/** The messages in memory, so that none is taken out of the spool twice. */
class Held {
  /** Jobs left, by friend and message. */
  readonly #jobs = new Map<FriendName, Map<MessageId, number>>()
  /** Recorded since the spool was last asked: its answer may be older than that. */
  #justRecorded = new Set<MessageId>()

  /** Before the spool is asked: who is not to be asked for. */
  ask(): Except {
    this.#justRecorded = new Set()
    const isFull = ([, held]: readonly [FriendName, ReadonlyMap<MessageId, number>]): boolean =>
      held.size >= HELD_PER_FRIEND_MAX
    const friends = [...this.#jobs]
    const messages = friends.filter((one) => !isFull(one)).flatMap(([, held]) => [...held.keys()])
    return { friends: new Set(friends.filter(isFull).map(([friend]) => friend)), messages: new Set(messages) }
  }

  get isEmpty(): boolean {
    return this.#jobs.size === 0
  }

  has({ id, friend }: KeptMessage): boolean {
    return this.#jobs.get(friend)?.has(id) ?? false
  }

  isNew(message: KeptMessage): boolean {
    return !this.has(message) && !this.#justRecorded.has(message.id)
  }

  hold({ id, friend }: KeptMessage, jobs: number): void {
    this.#jobs.set(friend, (this.#jobs.get(friend) ?? new Map<MessageId, number>()).set(id, jobs))
  }

  /** One job is done. True if it is time to look whether there is more. */
  release({ id, friend }: KeptMessage): boolean {
    const held = this.#jobs.get(friend) ?? new Map<MessageId, number>()
    const jobsLeft = (held.get(id) ?? 1) - 1
    if (jobsLeft > 0) {
      held.set(id, jobsLeft)
      return false
    }
    held.delete(id)
    this.#justRecorded.add(id)
    if (held.size === 0) this.#jobs.delete(friend)
    return held.size === 0 || held.size === HELD_PER_FRIEND_MAX / 2
  }
}
