/** What the kernel says of the time that a process had and did not have, and shares of what was measured. */
import { readdirSync, readFileSync } from "node:fs"

/** In milliseconds, of all its threads: on a CPU, and ready to run while others had it (Documentation/scheduler/sched-stats). */
export type Scheduled = { readonly ranMs: number; readonly waitedMs: number }

export function scheduled(pid: number): Scheduled {
  let [ranNs, waitedNs] = [0, 0]
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    const [ran, waited] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, "latin1").split(" ").map(Number)
    ranNs += ran ?? 0
    waitedNs += waited ?? 0
  }
  return { ranMs: ranNs / 1e6, waitedMs: waitedNs / 1e6 }
}

export function since(before: Scheduled, now: Scheduled): Scheduled {
  return { ranMs: now.ranMs - before.ranMs, waitedMs: now.waitedMs - before.waitedMs }
}

/** The value below which `share` of them are; of nothing it is NaN. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((one, other) => one - other)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
