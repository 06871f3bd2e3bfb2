/** What is asked of a run, beside what it came to. */
import type { Home } from "./home.ts"
import type { Counts } from "./ledger.ts"

export type Line = {
  readonly what: string
  readonly asked: string
  readonly measured: number
  readonly met: boolean
}

/** Issue 4: 500 kills with at least 100,000 acknowledged mails, 0 lost, ≤ 0.1 % twice. */
const KILLS_MIN = 500
const ACKNOWLEDGED_MIN = 100_000
const TWICE_PERCENT_MAX = 0.1

/** `home`: towards a box it is exactly once, as long as that lives (docs/tunnel-protocol.md §8). */
export function linesOf(
  home: Home,
  kills: number,
  { acknowledged, lost, twice, twiceInOneLife }: Counts,
): readonly Line[] {
  const percent = Number(((100 * twice) / Math.max(acknowledged, 1)).toFixed(3))
  const doubled = {
    what: "twice in one life of the box",
    asked: "none",
    measured: twiceInOneLife,
    met: twiceInOneLife === 0,
  }
  return [
    { what: "kills", asked: `at least ${KILLS_MIN}`, measured: kills, met: kills >= KILLS_MIN },
    {
      what: "acknowledged",
      asked: `at least ${ACKNOWLEDGED_MIN}`,
      measured: acknowledged,
      met: acknowledged >= ACKNOWLEDGED_MIN,
    },
    { what: "lost", asked: "none", measured: lost, met: lost === 0 },
    { what: "twice, %", asked: `at most ${TWICE_PERCENT_MAX}`, measured: percent, met: percent <= TWICE_PERCENT_MAX },
    ...(home === "box" ? [doubled] : []),
  ]
}
