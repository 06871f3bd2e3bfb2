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
import type { Verdict } from "../policy/verdict.ts"
import { warn } from "./assessment.ts"
import type { Now } from "./doors.ts"
import { kernelRoutes } from "./kernel-path.ts"
import type { Bound } from "./open-listeners.ts"
import { openParts, type Parts } from "./parts.ts"
import { backendsOf, restartNeededFor, Standing } from "./standing.ts"

export type RelayOptions = {
  readonly clock: Clock
  readonly log: Log
  /** The best one that runs here, if not given. */
  readonly engine?: Engine
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
}

/** Starts everything or nothing. Rejects with PROMISE_BROKEN, BIND_REFUSED or STATE_LOCKED, or with what the system says. */
export async function startRelay(config: Config, { clock, log, engine }: RelayOptions): Promise<Relay> {
  const now: Now = { standing: new Standing(config) }
  await using undo = new AsyncDisposableStack()
  const parts = await openParts(now, { clock, log, engine }, undo)
  await parts.resolved.follow(backendsOf(config))
  parts.traffic.follow(config.friends)
  await parts.listeners.change(config.listeners)
  parts.offers.follow(now.standing.sharedMailRoutes)
  await parts.kernel.lead(kernelRoutes(config))
  parts.delivery.start()
  const relay = new RunningRelay(now, parts, { clock, log, closing: undo.move() })
  relay.tell()
  log.info("started", { name: config.relay.name, friends: config.friends.length })
  return relay
}

type Running = { readonly clock: Clock; readonly log: Log; readonly closing: AsyncDisposableStack }

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
    await this.#parts.resolved.follow(backendsOf(config))
    this.#parts.offers.follow(after.sharedMailRoutes)
    this.#parts.traffic.follow(config.friends)
    await this.#parts.kernel.lead(kernelRoutes(config))
    for (const setting of restartNeededFor(before.config, config)) {
      this.#running.log.warn("needs a restart to change", { setting })
    }
    this.tell()
  }

  stop(drainMs = this.#now.standing.config.limits.drainDeadlineMs): Promise<void> {
    const forget = this.#running.clock.after(drainMs, () => this.#cut.abort())
    this.#stopped ??= this.#stop(this.#cut.signal)
    return this.#stopped.finally(forget)
  }

  async #stop(cut: AbortSignal): Promise<void> {
    const { mail, web, delivery, listeners, attached, kernel } = this.#parts
    await Promise.race([kernel.lead([]), fired(cut)]) // nobody new; who is led already goes on until the table is removed
    const drained = Promise.race([Promise.all([listeners.stop(), attached.drain()]), fired(cut)])
    await Promise.all([drained, mail.stop(cut), web.stop(cut), delivery.stop(cut)])
    await this.#running.closing.disposeAsync()
  }
}
