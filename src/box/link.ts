/**
 * Keeps one tunnel to one relay up, for ever: dials, waits after a failure, dials anew when the relay goes away or asks
 * for it. The first minutes after a loss are for relays that restart, so the waits are short; later ones spare a relay
 * that is gone.
 */
import type { Clock, Instant } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import type { BoxEnd } from "../tunnel/box-end.ts"

/** Ours: the wait after the first failure. */
const RETRY_FIRST_MS = 100
/** Ours: how much longer each wait is than the one before. */
const RETRY_GROWTH = 1.5
/** Ours: boxes are back within 2 s of a relay's death (p95), most of which its start takes. A try is a SYN that its kernel refuses. */
const RETRY_AT_ONCE_MS_MAX = 400
/** Ours: a start takes a second, ten on a machine that is busy. */
const START_LASTS_MS = 10_000
/** Ours: for a machine that boots. */
const RETRY_SOON_MS_MAX = 1_500
/** Ours: how long a relay counts as "restarting". */
const SOON_LASTS_MS = 5 * 60_000
/** Ours: a relay that stays away is asked this often, and so is one whose verdict breaks our promise. */
const RETRY_LATER_MS_MAX = 30_000

export type LinkState =
  | { readonly at: "dialling"; readonly tries: number }
  | { readonly at: "up"; readonly since: Instant; readonly rttMs: number | undefined }
  | { readonly at: "waiting"; readonly until: Instant; readonly tries: number; readonly because: string }
  /** The relay did what no relay may do; it is dialled no more until the box is started again. */
  | { readonly at: "detached"; readonly since: Instant; readonly because: string }
  | { readonly at: "stopped" }

export type LinkOptions = {
  /** For the log: the relay's endpoint as text. */
  readonly relay: string
  readonly dial: () => Promise<BoxEnd>
  readonly clock: Clock
  /** A number from 0 up to 1, for jitter, so that a relay's boxes do not all come back in the same instant. */
  readonly dice: () => number
  readonly log: Log
  /** The state is another one. */
  readonly changed?: () => void
}

export type Link = {
  state(): LinkState
  /** The tunnel while it is up. */
  end(): BoxEnd | undefined
  /** Ends the tunnel, cuts what it carries, and stays away. */
  detach(because: string): void
  /** Ends the tunnel and dials no more. */
  stop(): void
}

export function keepLinked(options: LinkOptions): Link {
  const { clock, log, relay } = options
  let state: LinkState = { at: "dialling", tries: 0 }
  const become = (next: LinkState) => {
    state = next
    options.changed?.()
  }
  let current: BoxEnd | undefined
  let cancelWait = () => {}
  let lostAt = clock.now()

  const stopped = () => state.at === "stopped" || state.at === "detached"
  const leave = (last: LinkState) => {
    if (stopped()) return
    become(last)
    cancelWait()
    current?.close()
  }
  const dial = (tries: number) => {
    become({ at: "dialling", tries })
    options.dial().then(up, (error: Error) => retry(tries + 1, error.message))
  }
  const up = (end: BoxEnd) => {
    if (stopped()) return end.close()
    become({ at: "up", since: clock.now(), rttMs: undefined })
    current = end
    log.info("tunnel up", { relay })
    let left = false
    const again = (why: string) => {
      if (left || stopped()) return
      left = true
      lostAt = clock.now()
      log.info("tunnel down", { relay, why })
      dial(0) // at once: a relay that asked for it is already listening anew
    }
    void end.leaving.then(() => again("the relay asks to dial anew"))
    void end.gone.then(() => again("the connection ended"))
  }
  const retry = (tries: number, because: string) => {
    if (stopped()) return
    const waitMs = waitBefore(tries, clock.now() - lostAt, options.dice())
    become({ at: "waiting", until: clock.now() + waitMs, tries, because })
    log.warn("tunnel not up", { relay, because, tries, waitMs: Math.round(waitMs) })
    cancelWait = clock.after(waitMs, () => dial(tries))
  }

  dial(0)
  return {
    state: () => (state.at === "up" ? { ...state, rttMs: current?.rttMs() } : state),
    end: () => (state.at === "up" ? current : undefined),
    detach: (because) => leave({ at: "detached", since: clock.now(), because }),
    stop: () => leave({ at: "stopped" }),
  }
}

/** How long to wait before the next try, in milliseconds; between half and the whole of the step, by chance. */
export function waitBefore(tries: number, lostForMs: number, chance: number): number {
  const step = Math.min(RETRY_FIRST_MS * RETRY_GROWTH ** (tries - 1), longestStep(lostForMs))
  return step * (0.5 + chance / 2)
}

function longestStep(lostForMs: number): number {
  if (lostForMs < START_LASTS_MS) return RETRY_AT_ONCE_MS_MAX
  return lostForMs < SOON_LASTS_MS ? RETRY_SOON_MS_MAX : RETRY_LATER_MS_MAX
}

/** One line for people: what the tunnel is doing. */
export function describeLink(state: LinkState, now: Instant): string {
  switch (state.at) {
    case "dialling":
      return "dialling"
    case "up":
      return `up since ${new Date(state.since).toISOString()}${state.rttMs === undefined ? "" : `, ${state.rttMs.toFixed(1)} ms away`}`
    case "waiting":
      return `down: ${state.because}; try ${state.tries + 1} in ${Math.max(0, Math.ceil((state.until - now) / 1000))} s`
    case "detached":
      return `DETACHED since ${new Date(state.since).toISOString()}: ${state.because}`
    case "stopped":
      return "stopped"
    default:
      return unreachable(state)
  }
}
