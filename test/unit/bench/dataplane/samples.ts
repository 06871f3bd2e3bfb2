/** Runs that were never made, for what is computed from runs. */
import type { Measured, Sample } from "../../../../bench/dataplane/work.ts"

export function sampleOf(given: Partial<Sample>): Sample {
  const nothing = { cpuSeconds: 0, done: 0, errors: 0, p50Us: 0, p99Us: 0, bytesPerConnection: 0, baseBytes: 0 }
  return { seconds: 1, gigabytes: 1, ...nothing, ...given }
}

/** A round for each number: the CPU seconds of one GB, and of a million connections. */
export function cpu(work: string, relay: string, cpuSeconds: readonly number[]): readonly Measured[] {
  return cpuSeconds.map((seconds, round) => ({
    round,
    work,
    relay,
    sample: sampleOf({
      cpuSeconds: seconds,
      done: 1_000_000,
      p99Us: 100 * seconds,
      bytesPerConnection: 1000 * seconds,
    }),
  }))
}
