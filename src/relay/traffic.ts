/**
 * What each friend's dedicated connections move at this moment, and the rate that they are held to. Nothing is done for a
 * byte or a connection: counts are looked at every few seconds while something runs, and when somebody asks.
 */
import type { Clock, Instant } from "../clock/clock.ts"
import type { Engine } from "../net/engine.ts"
import type { Counts, Meter } from "../net/meter.ts"
import type { Friend, FriendName } from "../route/route.ts"
import type { OutgoingAccounts, OutgoingCounts } from "./outgoing-accounts.ts"

export type FriendTraffic = Counts &
  Rates & {
    readonly friend: FriendName
    /** Of the connections, those to mail servers outside; `undefined`: none within the last hour. */
    readonly outgoing?: OutgoingCounts | undefined
  }

export type Rates = {
  /** Over the last few seconds. */
  readonly bytesPerSecondToBackend: number
  readonly bytesPerSecondToVisitor: number
  /** Both directions together; `undefined`: no limit. */
  readonly bytesPerSecondMax: number | undefined
}

/** Ours: how often rates are measured. */
export const MEASURE_INTERVAL_MS = 2_000

type Measured = {
  readonly meter: Meter
  before: Counts
  rates: Rates
}

export class Traffic {
  readonly #engine: Pick<Engine, "meter">
  readonly #clock: Clock
  readonly #outgoing: Pick<OutgoingAccounts, "of"> | undefined
  readonly #friends = new Map<FriendName, Measured>()
  #measuredAt: Instant = 0
  #forgetTimer: (() => void) | undefined

  constructor(engine: Pick<Engine, "meter">, clock: Clock, outgoing?: Pick<OutgoingAccounts, "of">) {
    this.#engine = engine
    this.#clock = clock
    this.#outgoing = outgoing
  }

  /** Holds friends to their rates from here on, running connections too. Who is a friend no more keeps no limit. */
  follow(friends: readonly Pick<Friend, "name" | "bytesPerSecondMax">[]): void {
    const rates = new Map(friends.map(({ name, bytesPerSecondMax }) => [name, bytesPerSecondMax]))
    for (const name of rates.keys()) this.#friend(name)
    for (const [name, measured] of this.#friends) {
      const rate = rates.get(name)
      if (rate !== measured.rates.bytesPerSecondMax) measured.meter.limit(rate)
      measured.rates = { ...measured.rates, bytesPerSecondMax: rate }
    }
  }

  /** For a connection of this friend's that begins. */
  meterOf(friend: FriendName): Meter {
    if (!this.#forgetTimer) this.#measureLater()
    return this.#friend(friend).meter
  }

  all(): readonly FriendTraffic[] {
    return [...this.#friends].map(([friend, { meter, rates }]) => {
      const outgoing = this.#outgoing?.of(friend)
      const counts = { friend, ...meter.counts(), ...rates }
      return outgoing ? { ...counts, outgoing } : counts
    })
  }

  stop(): void {
    this.#forgetTimer?.()
  }

  #friend(name: FriendName): Measured {
    const known = this.#friends.get(name)
    if (known) return known
    const meter = this.#engine.meter()
    const rates = { bytesPerSecondToBackend: 0, bytesPerSecondToVisitor: 0, bytesPerSecondMax: undefined }
    const measured = { meter, before: meter.counts(), rates }
    this.#friends.set(name, measured)
    return measured
  }

  #measureLater(): void {
    this.#measuredAt = this.#clock.now()
    this.#forgetTimer = this.#clock.after(MEASURE_INTERVAL_MS, () => this.#measure())
  }

  #measure(): void {
    const seconds = Math.max(1, this.#clock.now() - this.#measuredAt) / 1000
    for (const measured of this.#friends.values()) measure(measured, seconds)
    this.#forgetTimer = undefined
    if ([...this.#friends.values()].some(isAlive)) this.#measureLater()
  }
}

function measure(measured: Measured, seconds: number): void {
  const { meter, before, rates } = measured
  const now = meter.counts()
  const each = (way: "bytesToBackend" | "bytesToVisitor"): number => Math.round((now[way] - before[way]) / seconds)
  measured.rates = {
    ...rates,
    bytesPerSecondToBackend: each("bytesToBackend"),
    bytesPerSecondToVisitor: each("bytesToVisitor"),
  }
  measured.before = now
}

function isAlive({ before, rates }: Measured): boolean {
  return before.connections + rates.bytesPerSecondToBackend + rates.bytesPerSecondToVisitor > 0
}
