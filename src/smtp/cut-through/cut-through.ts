/**
 * Mail that passes through to the friend's server while its sender waits: he hears the friend's own replies, and nothing
 * is kept. Only while that server is away is mail kept and delivered later. What all senders share is in this file:
 * whose server is away at the moment, and how many connections each has from us.
 */
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import type { FriendName } from "../../route/route.ts"
import type { Client } from "../../store/spool.ts"
import type { Answer } from "../delivery/answer.ts"
import { openTo, visitorOf, type Way } from "../delivery/open.ts"
import { IdleSessions } from "../delivery/idle-sessions.ts"
import { Session } from "../delivery/session.ts"
import { targetKey, type Target } from "../delivery/target.ts"
import { RecipientMemory } from "./recipient-memory.ts"

/** Ours: below the 50 connections that Postfix takes from one client (smtpd_client_connection_count_limit). */
export const PASSAGES_PER_DESTINATION_MAX = 40
/** Ours: a server that could not be reached is not asked again for as long; senders do not wait for what is known. */
export const AWAY_MEMORY_MS = 30_000
/** As Postfix (smtpd_proxy_timeout). The sender waits for 5 minutes at least (RFC 5321 §4.5.3.2). */
export const REPLY_MS = 100_000

export type CutThroughOptions = {
  readonly way: Way
  readonly log: Log
  /** A server that was away is reached again: what waits for it can go. */
  readonly cameBack: (friend: FriendName) => void
  /** Told what came of every recipient, for counting. */
  readonly answered: (friend: FriendName, answer: Answer) => void
}

/** A connection to the friend's server, until it is given back. */
export type Connected = {
  readonly key: string
  readonly session: Session
  /** It was used before, and may have been closed meanwhile, which says nothing about the server. */
  readonly rested: boolean
  /** The server is told who the sender is, so that it is his alone. */
  readonly told: boolean
  readonly giveBack: () => void
}

export class CutThrough {
  readonly clock: Clock
  readonly log: Log
  readonly answered: CutThroughOptions["answered"]
  readonly recipients: RecipientMemory
  readonly #way: Way
  readonly #cameBack: CutThroughOptions["cameBack"]
  readonly #awayUntil = new Map<string, Instant>()
  readonly #connections = new Map<string, number>()
  /** Connections that no sender has, by where they lead. */
  readonly #resting: IdleSessions
  #stopped = false

  constructor({ way, log, cameBack, answered }: CutThroughOptions) {
    this.#way = way
    this.clock = way.clock
    this.recipients = new RecipientMemory(way.clock)
    this.#resting = new IdleSessions(way.clock)
    this.log = log
    this.answered = answered
    this.#cameBack = cameBack
  }

  /** The friend is back: nothing is remembered against his server. */
  forgive(friend: FriendName): void {
    for (const key of this.#awayUntil.keys()) if (key.startsWith(`route ${friend} `)) this.#awayUntil.delete(key)
  }

  /** `away`: it cannot be reached. `busy`: it can, and has as many connections as it gets. Gives up when `signal` fires. */
  async connect(target: Target, signal: AbortSignal): Promise<Connected | "away" | "busy"> {
    const key = targetKey(target)
    const rested = this.#resting.take(key)
    if (rested) return this.#connected(key, rested, { rested: true, told: false })
    const awayUntil = this.#awayUntil.get(key)
    if (awayUntil !== undefined && this.clock.now() < awayUntil) return "away"
    if ((this.#connections.get(key) ?? 0) >= PASSAGES_PER_DESTINATION_MAX) return "busy"
    this.#count(key, 1)
    const opened = await this.#open(target, signal)
    if (opened instanceof Session) {
      if (this.#awayUntil.delete(key) && target.by === "route") this.#cameBack(target.friend)
      const told = target.by === "route" && target.xclient
      return this.#connected(key, opened, { rested: false, told })
    }
    this.#count(key, -1)
    if (signal.aborted) return "away"
    this.#awayUntil.set(key, this.clock.now() + AWAY_MEMORY_MS)
    const why = opened.kind === "accepted" ? "" : opened.detail
    this.log.info("cut-through-away", { destination: key, why })
    return "away"
  }

  /** The sender has no use for it any more, and no transaction runs on it: for a while whoever comes next may have it. */
  rest(connected: Connected): void {
    if (this.#stopped || connected.told) quit(connected)
    else this.#resting.leave(connected.key, connected.session, connected.giveBack)
  }

  /** Nothing rests from here on. */
  stop(): void {
    this.#stopped = true
    this.#resting.quit()
  }

  /** Tells the friend's server who the sender is, where the route asks for it; false if it does not take that. */
  async introduce(target: Target, session: Session, client: Client): Promise<boolean> {
    if (target.by !== "route" || !target.xclient) return true
    const visitor = await visitorOf(client, this.#way)
    return session.isFor(visitor) && (await session.introduce(visitor)) === undefined
  }

  #connected(key: string, session: Session, of: Pick<Connected, "rested" | "told">): Connected {
    return { key, session, ...of, giveBack: once(() => this.#count(key, -1)) }
  }

  async #open(target: Target, signal: AbortSignal): Promise<Session | Answer> {
    const late = new AbortController()
    const forget = this.clock.after(REPLY_MS, () => late.abort())
    try {
      return await openTo(target, this.#way, AbortSignal.any([signal, late.signal]))
    } finally {
      forget()
    }
  }

  #count(key: string, change: 1 | -1): void {
    const count = (this.#connections.get(key) ?? 0) + change
    if (count > 0) this.#connections.set(key, count)
    else this.#connections.delete(key)
  }
}

/** Ends it, and gives it back when its server has heard so. */
export function quit({ session, giveBack }: Connected): void {
  void session.quit().then(giveBack)
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (done) return
    done = true
    work()
  }
}
