/** 256 descriptors and 1,000 clients: how many are held, what becomes of the others, how soon the rate is back. */
import { setTimeout as sleep } from "node:timers/promises"
import type { Engine } from "../../src/net/engine.ts"
import { backend, echo } from "../../test/support/backend.ts"
import { relayInChild } from "../../test/support/relay-in-child.ts"
import { exchange, Staying } from "./exchange.ts"
import { quantile } from "./figures.ts"

const DESCRIPTORS = 256
const CLIENTS = 1_000
const CALLERS = 20
const MEASURED_MS = 3_000
const WINDOW_MS = 100
/** Ours: the rate of single windows varies by about this much when nothing happens. */
const FULL_RATE_SHARE = 0.8
const SETTLED_MS = 3_000

export type CrowdedOut = {
  readonly held: number
  readonly waiting: number
  readonly sentAway: number
  /** Exchanges per second of 20 callers: before the crowd, and after it has gone. */
  readonly rateBefore: number
  readonly rateAfter: number
  /** From the crowd's leaving to the end of the first tenth of a second at 0.8 of the rate before; NaN: never. */
  readonly fullRateAfterMs: number
}

export async function crowdedOut(engine: Engine["kind"]): Promise<CrowdedOut> {
  const home = await backend(echo)
  await using relay = await relayInChild({ engine, backend: home.at, descriptorsMax: DESCRIPTORS })
  const before = await windows(relay.bound, () => {})
  const crowd = new Staying()
  crowd.come(relay.bound, CLIENTS)
  await sleep(SETTLED_MS)
  const { served: held, waiting, sentAway } = crowd
  const after = await windows(relay.bound, () => crowd.leave())
  await home.close()
  const usual = quantile(before, 0.5)
  const first = after.findIndex((count) => count >= usual * FULL_RATE_SHARE)
  const fullRateAfterMs = first < 0 ? NaN : (first + 1) * WINDOW_MS
  return { held, waiting, sentAway, rateBefore: perSecond(before), rateAfter: perSecond(after), fullRateAfterMs }
}

function perSecond(counts: readonly number[]): number {
  return Math.round(quantile(counts, 0.5) * (1000 / WINDOW_MS))
}

/** How many exchanges ended in each window, from when `begin` was called on. */
async function windows(to: Parameters<typeof exchange>[0], begin: () => void): Promise<readonly number[]> {
  const counts = Array.from<number>({ length: MEASURED_MS / WINDOW_MS }).fill(0)
  begin()
  const began = performance.now()
  const call = async (): Promise<void> => {
    while (performance.now() - began < MEASURED_MS) {
      const took = await exchange(to)
      const window = Math.floor((performance.now() - began) / WINDOW_MS)
      if (took !== undefined && window < counts.length) counts[window] = (counts[window] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: CALLERS }, call))
  return counts
}
