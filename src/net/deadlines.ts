/**
 * Every deadline of the data plane on one coarse wheel: one timer for all connections, which runs only while something
 * waits. A deadline never fires early; it may fire a little more than one resolution late.
 */
import { systemClock, type Clock } from "../clock/clock.ts"
import { Crowd } from "./crowd.ts"

/** Ours: what waits here waits for seconds or hours. */
export const DEADLINE_RESOLUTION_MS = 100
/** Ours: one turn of the wheel is 51 s at that resolution; what waits for longer stays on for several turns. */
const SLOTS = 512

/** Something that waits for at most one deadline at a time. Only the wheel writes the two numbers. */
export interface Expiring {
  /** 0: none is set. */
  dueTick: number
  slotPlace: number
  /** The deadline has passed; it is no longer set. */
  expired(): void
}

type Slot = Crowd<"slotPlace", Expiring>

export class Deadlines {
  /** Grows by one per resolution while something waits: a cheap clock for "when was this last used". */
  tick = 0
  readonly resolutionMs: number
  readonly #clock: Clock
  readonly #slots = Array.from({ length: SLOTS }, (): Slot => new Crowd("slotPlace"))
  #waiting = 0
  #stopTimer: (() => void) | undefined

  constructor(clock: Clock = systemClock, resolutionMs: number = DEADLINE_RESOLUTION_MS) {
    this.#clock = clock
    this.resolutionMs = resolutionMs
  }

  /** Sets the deadline of `what`, instead of the one it had. */
  set(what: Expiring, delayMs: number): void {
    if (what.dueTick > 0) this.#leave(what)
    // The running tick is already partly over, so one more makes sure that none fires early.
    what.dueTick = this.tick + this.ticks(delayMs) + 1
    this.#slotOf(what.dueTick)?.add(what)
    this.#waiting += 1
    this.#stopTimer ??= this.#nextTick()
  }

  forget(what: Expiring): void {
    if (what.dueTick === 0) return
    this.#leave(what)
    if (this.#waiting > 0) return
    this.#stopTimer?.()
    this.#stopTimer = undefined
  }

  ticks(delayMs: number): number {
    return Math.ceil(delayMs / this.resolutionMs)
  }

  #slotOf(tick: number): Slot | undefined {
    return this.#slots[tick % SLOTS]
  }

  #leave(what: Expiring): void {
    this.#slotOf(what.dueTick)?.remove(what)
    what.dueTick = 0
    this.#waiting -= 1
  }

  #nextTick(): () => void {
    return this.#clock.after(this.resolutionMs, () => this.#turn())
  }

  #turn(): void {
    this.tick += 1
    this.#stopTimer = this.#nextTick()
    const due = this.#slotOf(this.tick)?.members.filter((what) => what.dueTick === this.tick) ?? []
    for (const what of due) {
      if (what.dueTick !== this.tick) continue // what expired before it has forgotten it
      this.forget(what)
      what.expired()
    }
  }
}
