/** Medians of what was measured. A ratio is taken within each round, for which the machine need not be idle. */
import { costOf, rateOf, type Measured, type Sample, type Work } from "./work.ts"

/** Of no numbers it is `undefined`; of an even count the mean of the middle two. */
export function median(numbers: readonly number[]): number | undefined {
  const sorted = numbers.filter(Number.isFinite).toSorted((a, b) => a - b)
  const [low, high] = [sorted[Math.ceil(sorted.length / 2) - 1], sorted[Math.floor(sorted.length / 2)]]
  return low === undefined || high === undefined ? undefined : (low + high) / 2
}

/** What one run is judged by. */
export type Measure = (work: Work, sample: Sample) => number

export const MEASURES = {
  cost: costOf,
  rate: rateOf,
  p50: (_work: Work, { p50Us }: Sample) => p50Us,
  p99: (_work: Work, { p99Us }: Sample) => p99Us,
  base: (_work: Work, { baseBytes }: Sample) => baseBytes,
} satisfies Record<string, Measure>

export class Figures {
  readonly measured: readonly Measured[]

  constructor(measured: readonly Measured[]) {
    this.measured = measured
  }

  /** The median over the rounds; `undefined` if it was not run. */
  of(work: Work, relay: string, measure: Measure = costOf): number | undefined {
    return median(this.#runs(work, relay).map(({ sample }) => measure(work, sample)))
  }

  /** The median of the ratios to another relay in the same round. */
  ratio(work: Work, relay: string, base: string, measure: Measure = costOf): number | undefined {
    const bases = new Map(this.#runs(work, base).map(({ round, sample }) => [round, measure(work, sample)]))
    const runs = this.#runs(work, relay)
    return median(runs.map(({ round, sample }) => measure(work, sample) / (bases.get(round) ?? NaN)))
  }

  /** That of several relays for which the measure is lowest. */
  lowest(work: Work, relays: readonly [string, ...string[]], measure: Measure = costOf): string {
    const known = (relay: string): number => this.of(work, relay, measure) ?? Infinity
    return relays.reduce((lowest, relay) => (known(relay) < known(lowest) ? relay : lowest), relays[0])
  }

  /** Connections that failed. */
  errors(relay: string): number {
    return this.measured.reduce((sum, run) => sum + (run.relay === relay ? run.sample.errors : 0), 0)
  }

  #runs({ id }: Work, relay: string): readonly Measured[] {
    return this.measured.filter((run) => run.work === id && run.relay === relay)
  }
}
