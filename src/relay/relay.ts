/**
 * The composition root of a relay: a checked configuration becomes a running program, and comes back down again. Nothing
 * is decided here; the parts are made, given to each other, and closed in the opposite order.
 */
import type { Clock } from "../clock/clock.ts"
import { fired } from "../clock/grace.ts"
import type { Config } from "../config/config.ts"
import type { Log } from "../log/log.ts"
import { endpointText } from "../names/endpoint.ts"
import type { Engine } from "../net/engine.ts"
import type { Internet } from "../net/internet.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { FriendName } from "../route/route.ts"
import { carriedNamesIn, type CarriedNames } from "../store/carried-names.ts"
import { warn } from "./assessment.ts"
import type { Now } from "./doors.ts"
import { expectBoxes, type Inherited } from "./inherited.ts"
import { kernelRoutes } from "./kernel-path.ts"
import type { Bound } from "./open-listeners.ts"
import { openParts, type Parts } from "./parts.ts"
import { backendsOf, restartNeededFor, Standing } from "./standing.ts"

export type RelayOptions = {
  readonly clock: Clock
  readonly log: Log
  /** The best one that runs here, if not given. */
  readonly engine?: Engine
  /** Where friends' outgoing mail goes; the one that there is, if not given. */
  readonly internet?: Internet | undefined
  /** From systemd, or from the relay that this one follows. */
  readonly inherited?: Inherited | undefined
}

export type Relay = {
  /** What it stands on now. */
  readonly config: Config
  /** Where it listens, with real ports where 0 was asked for; the admin endpoint as `admin`. */
  readonly bound: readonly Bound[]
  readonly verdicts: readonly Verdict[]
  /**
   * Takes a whole new configuration in. Connections keep the route they began with. Rejects with PROMISE_BROKEN or
   * BIND_REFUSED; then nothing has changed. Calls must not overlap.
   */
  reload(config: Config): Promise<void>
  /**
   * Accepts nothing more, lets what is under way end, and cuts what is left after `drainMs` (`limits.drain-deadline` if
   * not given). Called again it waits for the same end, and can only bring the cut forward.
   */
  stop(drainMs?: number): Promise<void>
  /** Resolves when every box of the relay before this one has come, or is late: only then can it be passed on in turn. */
  settled(): Promise<unknown>
  /** What the next relay is given. */
  readonly legacy: Legacy
  /**
   * As `stop`, while another relay serves at the same places already: lets go of the state folder first and calls
   * `stateFree`, then of the boxes; what is under way may take `limits.hand-over-deadline`.
   */
  leave(stateFree: () => void): Promise<void>
  /** The relay that was to follow did not get that far: takes back what it may have changed. */
  stay(): Promise<void>
}

export type Legacy = {
  readonly descriptors: readonly number[]
  readonly boxes: readonly FriendName[]
}

/** Ours: whoever was accepted before the other relay served alone may still have to say where he wants to go. */
const SETTLE_MS = 500

/** Starts everything or nothing. Rejects with PROMISE_BROKEN, BIND_REFUSED, STATE_LOCKED or STATE_DAMAGED, or with what the system says. */
export async function startRelay(config: Config, options: RelayOptions): Promise<Relay> {
  const { clock, log, inherited } = options
  const now: Now = { standing: new Standing(config) }
  await using undo = new AsyncDisposableStack()
  const parts = await openParts(now, options, undo)
  await parts.resolved.follow(backendsOf(config))
  parts.traffic.follow(config.friends)
  await expectBoxes(parts.attached, inherited?.predecessor, { clock, closing: undo })
  await parts.listeners.change(config.listeners)
  const names = carriedNamesIn(config.relay.state)
  await names.remember(config.friends, clock.now())
  parts.offers.follow(now.standing.sharedMailRoutes)
  await parts.kernel.lead(kernelRoutes(config))
  for (const place of inherited?.sockets.closeRest() ?? []) log.warn("given a socket that no listener names", { place })
  parts.delivery.start()
  const relay = new RunningRelay(now, parts, { clock, log, names, closing: undo.move() })
  relay.tell()
  log.info("started", { name: config.relay.name, friends: config.friends.length })
  return relay
}

type Running = {
  readonly clock: Clock
  readonly log: Log
  readonly names: CarriedNames
  readonly closing: AsyncDisposableStack
}

class RunningRelay implements Relay {
  readonly #now: Now
  readonly #parts: Parts
  readonly #running: Running
  /** Fires when what is still under way may not go on. */
  readonly #cut = new AbortController()
  #stopped: Promise<void> | undefined

  constructor(now: Now, parts: Parts, running: Running) {
    this.#now = now
    this.#parts = parts
    this.#running = running
  }

  get bound(): readonly Bound[] {
    const { listeners, admin } = this.#parts
    return admin ? [...listeners.bound, admin] : listeners.bound
  }

  get config(): Config {
    return this.#now.standing.config
  }

  get verdicts(): readonly Verdict[] {
    return this.#now.standing.verdicts
  }

  /** Says where it listens and what its operator is warned of. */
  tell(): void {
    const { log } = this.#running
    for (const { listener, asked, bound } of this.bound) {
      log.info("listening", { listener, asked: endpointText(asked), bound: endpointText(bound) })
    }
    warn(this.verdicts, log)
  }

  async reload(config: Config): Promise<void> {
    const before = this.#now.standing
    const after = new Standing(config)
    await this.#parts.resolved.follow([...backendsOf(before.config), ...backendsOf(config)])
    this.#now.standing = after // before the listeners: a new one asks it from its first connection on
    try {
      await this.#parts.listeners.change(config.listeners)
    } catch (error) {
      this.#now.standing = before
      await this.#parts.resolved.follow(backendsOf(before.config))
      throw error
    }
    await this.#rememberNames(config)
    await this.#parts.resolved.follow(backendsOf(config))
    this.#parts.offers.follow(after.sharedMailRoutes)
    this.#parts.traffic.follow(config.friends)
    this.#showBoxes(before, after)
    await this.#parts.kernel.lead(kernelRoutes(config))
    for (const setting of restartNeededFor(before.config, config)) {
      this.#running.log.warn("needs a restart to change", { setting })
    }
    this.tell()
  }

  /** They are carried already, whether the disk takes it or not. */
  async #rememberNames({ friends }: Config): Promise<void> {
    const { names, clock, log } = this.#running
    await names
      .remember(friends, clock.now())
      .catch((error: unknown) => log.error("names not remembered", { why: String(error) }))
  }

  /** A box that was let in on other terms is told, and may go. */
  #showBoxes(before: Standing, after: Standing): void {
    for (const friend of new Set(this.#parts.attached.list().map(({ friend }) => friend))) {
      const shown = JSON.stringify(after.shownTo(friend))
      if (shown !== JSON.stringify(before.shownTo(friend))) this.#parts.attached.showAgain(friend, shown)
    }
  }

  settled(): Promise<unknown> {
    return this.#parts.attached.settled()
  }

  get legacy(): Legacy {
    const { listeners, admin, attached } = this.#parts
    const descriptors = [...listeners.descriptors, ...(admin?.descriptors ?? [])]
    const boxes = [...new Set(attached.list().map(({ friend }) => friend))]
    return { descriptors, boxes }
  }

  stay(): Promise<void> {
    return this.#parts.kernel.leadAgain()
  }

  stop(drainMs = this.config.limits.drainDeadlineMs): Promise<void> {
    return this.#end(drainMs, (cut) => this.#stop(cut))
  }

  leave(stateFree: () => void): Promise<void> {
    return this.#end(this.config.limits.handOverDeadlineMs, (cut) => this.#leave(cut, stateFree))
  }

  #end(drainMs: number, end: (cut: AbortSignal) => Promise<void>): Promise<void> {
    const forget = this.#running.clock.after(drainMs, () => this.#cut.abort())
    this.#stopped ??= end(this.#cut.signal)
    return this.#stopped.finally(forget)
  }

  async #stop(cut: AbortSignal): Promise<void> {
    const { mail, web, delivery, kernel } = this.#parts
    await Promise.race([kernel.lead([]), fired(cut)]) // nobody new; who is led already goes on until the table is removed
    await Promise.all([this.#drained(cut), mail.stop(cut), web.stop(cut), delivery.stop(cut)])
    await this.#running.closing.disposeAsync()
  }

  async #leave(cut: AbortSignal, stateFree: () => void): Promise<void> {
    const { mail, web, delivery, listeners, state, kernel } = this.#parts
    kernel.handOver()
    await listeners.change([])
    const stateClosed = Promise.all([mail.stop(cut), delivery.stop(cut)]).then(async () => {
      await state[Symbol.asyncDispose]()
      stateFree()
    })
    await new Promise<void>((resolve) => this.#running.clock.after(SETTLE_MS, resolve))
    await Promise.all([stateClosed, this.#drained(cut), web.stop(cut)])
    await this.#running.closing.disposeAsync()
  }

  /** Nothing is carried any more, or it must not be. */
  #drained(cut: AbortSignal): Promise<unknown> {
    const { listeners, attached, handedOver } = this.#parts
    return Promise.race([Promise.all([listeners.stop(), attached.drain(), handedOver.drained()]), fired(cut)])
  }
}
