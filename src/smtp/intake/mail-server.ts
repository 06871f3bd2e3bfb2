/**
 * Peer mail's way in: a backup MX that takes mail for friends and for nobody else, and answers 250 when it is durable.
 * It listens nowhere; whoever accepts connections hands them in, with the client's true address.
 */
import type { Socket } from "node:net"
import { SMTPServer } from "smtp-server"
import type { Clock } from "../../clock/clock.ts"
import { grace } from "../../clock/grace.ts"
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import type { Log } from "../../log/log.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { FriendName, ListenerName, Route } from "../../route/route.ts"
import type { MessageId, Spool } from "../../store/spool.ts"
import type { Checker } from "../auth/checker.ts"
import type { CutThrough } from "../cut-through/cut-through.ts"
import type { Arrival } from "./arrival.ts"
import { RECIPIENTS_MAX, type CameBy, type Intake, type IntakeLimits, type Taking } from "./intake.ts"
import type { Rates } from "./rates.ts"
import { RecipientLists } from "./recipient-lists.ts"
import { RecentRefusals } from "./recent-refusals.ts"
import type { Strangers } from "./strangers.ts"
import { MailSession } from "./session.ts"
import type { Waking } from "./waking.ts"

export type MailServerOptions = {
  /** In the greeting, in Received lines and in the certificate. */
  readonly name: Hostname
  /** PEM. Without it STARTTLS is not offered. */
  readonly tls: { readonly key: string; readonly cert: string } | undefined
  readonly spool: Spool
  /** The route of a recipient's domain; `undefined`: not ours, refused. */
  readonly routeFor: (listener: ListenerName, domain: Hostname) => Route | undefined
  /** Whether REQUIRETLS is offered there. Nowhere unless given. */
  readonly holdsTls?: (listener: ListenerName) => boolean
  readonly limits: Pick<IntakeLimits, "messageBytesMax"> & Partial<IntakeLimits>
  readonly clock: Clock
  readonly log: Log
  /** Called for every message that is durable from here on. */
  readonly kept?: (friend: FriendName, id: MessageId) => void
  /** Called for every message that was answered with 250, by us or by the friend's own server. */
  readonly taken?: (friend: FriendName, came: CameBy, how: Taking) => void
  /** Called for whatever is refused. */
  readonly refused?: (why: FaultCode) => void
  /** How friends' servers ask for their mail. Without it none does. */
  readonly waking?: Waking
  /** How often senders may come. Without it, as often as they like. */
  readonly rates?: Rates
  /** Passes mail on while its sender waits. Without it everything is kept. */
  readonly cutThrough?: CutThrough
  /** What friends ask of strangers. Without it nothing is asked. */
  readonly strangers?: Strangers
  /** Finds out who mail is from, for routes that ask for it. Without it nobody does. */
  readonly checker?: Checker
  /** How long a listener waits before it greets; not at all unless given. Who talks meanwhile is turned away. */
  readonly greetWaitMs?: (listener: ListenerName) => number
}

export interface MailServer {
  /** How many connections are open. */
  readonly sessions: number
  /** Takes over a connection of which nothing was read yet, or whose first bytes were put back. */
  accept(socket: Socket, arrival: Arrival): void
  /**
   * New connections and waiting sessions get 421; a message that is coming in still gets its answer, unless it takes
   * longer than STOP_MS_MAX or `cut` fires. Resolves when all are gone.
   */
  stop(cut?: AbortSignal): Promise<void>
}

/** RFC 5321 §4.5.3.2.7: a server waits five minutes at least for the next command. */
const IDLE_MS_MAX = 5 * 60_000
/** Ours: how long a message that is coming in may still take when the relay is stopped. */
export const STOP_MS_MAX = 30_000
/** What the library offers and a relay has no use for. AUTH is ours, where servers fetch their mail. */
const DISABLED = ["HELP", "WIZ", "SHELL", "KILL", "XCLIENT", "XFORWARD"]

export function mailServer(options: MailServerOptions): MailServer {
  return new LibraryMailServer(options)
}

class LibraryMailServer implements MailServer {
  readonly #library: SMTPServer
  readonly #intake: Intake
  readonly #sessions = new Set<MailSession>()
  #stopped: (() => void) | undefined

  constructor(options: MailServerOptions) {
    const { name, tls, spool, routeFor, limits, clock, log, cutThrough, strangers } = options
    const { kept = () => {}, taken = () => {}, refused = () => {}, holdsTls = () => false, rates } = options
    this.#library = new SMTPServer({
      ...(tls ? { ...tls, minVersion: "TLSv1.2" } : { hideSTARTTLS: true }),
      name,
      authOptional: true,
      disabledCommands: tls ? DISABLED : [...DISABLED, "STARTTLS"],
      disableReverseLookup: true,
      hideENHANCEDSTATUSCODES: false,
      heloResponse: "%s",
      socketTimeout: IDLE_MS_MAX,
      logger: false,
      // At once: the library's own answer comes a turn later, and meanwhile it calls an honest client too early.
      onConnect: (_session, done) => done(),
      onSecure: (_socket, _session, done) => done(),
    })
    const refusals = new RecentRefusals(clock)
    const allLimits = { recipientsMax: RECIPIENTS_MAX, ...limits }
    this.#intake = {
      name,
      spool,
      routeFor,
      lists: new RecipientLists(clock, log),
      limits: allLimits,
      offersTls: tls !== undefined,
      holdsTls,
      clock,
      log,
      refusals,
      kept,
      taken,
      refused,
      rates,
      waking: options.waking,
      cutThrough,
      strangers,
      checker: options.checker,
      greetWaitMs: options.greetWaitMs ?? (() => 0),
    }
  }

  get sessions(): number {
    return this.#sessions.size
  }

  accept(socket: Socket, arrival: Arrival): void {
    if (this.#stopped) return turnAway(socket, "STOPPING")
    const tooOften = this.#intake.rates?.connection(arrival.remote.address)
    if (tooOften) {
      this.#intake.refused(tooOften.code)
      this.#intake.log.info("mail-refused", { ...tooOften, listener: arrival.listener, client: arrival.remote.address })
      if (arrival.after !== "STARTTLS") return turnAway(socket, tooOften.code)
      arrival = { ...arrival, refusal: tooOften.code } // what it waits for is TLS
    }
    socket.allowHalfOpen = true // who has finished sending still waits for the answer (RFC 9293 §3.6.1)
    const gone = (): void => this.#left(session)
    const session = new MailSession(this.#library, socket, { intake: this.#intake, arrival, gone })
    this.#sessions.add(session)
    session.on("error", (error: Error) => {
      this.#intake.log.info("mail-session-broke", { why: error.message, client: arrival.remote.address })
    })
    session.init()
  }

  async stop(cut?: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => (this.#stopped = resolve))
    this.#intake.cutThrough?.stop()
    for (const session of this.#sessions) session.end("STOPPING")
    const forget = grace(this.#intake.clock, STOP_MS_MAX, cut, () => {
      for (const session of this.#sessions) session.cut()
    })
    this.#resolveIfEmpty()
    await stopped
    forget()
  }

  #left(session: MailSession): void {
    this.#sessions.delete(session)
    this.#resolveIfEmpty()
  }

  #resolveIfEmpty(): void {
    if (this.#sessions.size === 0) this.#stopped?.()
  }
}

function turnAway(socket: Socket, code: FaultCode): void {
  socket.on("error", () => {}) // whoever was refused may go as they like
  socket.end(`${kindOf(code).smtp} ${kindOf(code).tell}\r\n`)
}
