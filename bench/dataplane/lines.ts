/** What the data plane has to show, as numbers, and whether a run showed it. */
import { type Figures, MEASURES } from "./figures.ts"
import { BULK, CONNECTIONS, IDLE, TWO_CORES, type Work } from "./work.ts"

export type Line = {
  readonly what: string
  /** As it is written: `≤ 1.0 ×`. */
  readonly asked: string
  readonly got: number | undefined
  readonly unit: "×" | "kB"
  readonly met: boolean
  /** What this machine cannot show, and what the number is instead. */
  readonly note?: string
}

const BEST = "haproxy-best"
const DEFAULT = "haproxy"
const HAPROXIES = [DEFAULT, BEST] as const

/** HAProxy is the better of its two configurations, for each measure, unless one of them is named. */
export function linesOf(figures: Figures): readonly Line[] {
  const ratio = (relay: string, work: Work, base: string) => figures.ratio(work, relay, base)
  const many = BULK.filter(({ connections }) => connections > 1)
  const one = BULK.filter(({ connections }) => connections === 1)
  const lines: Line[] = []
  for (const work of many) {
    lines.push(atMost(`CPU per GB, ${work.name}: best HAProxy`, 1, ratio("native", work, BEST)))
    lines.push(atMost(`CPU per GB, ${work.name}: default HAProxy`, 0.35, ratio("native", work, DEFAULT)))
  }
  for (const work of one) lines.push(atMost(`CPU per GB, ${work.name}: best HAProxy`, 1.2, ratio("native", work, BEST)))
  for (const work of CONNECTIONS) {
    const lowest = figures.lowest(work, HAPROXIES)
    lines.push(atMost(`CPU, ${work.name}: HAProxy`, 1, ratio("native", work, lowest)))
  }
  for (const work of CONNECTIONS.filter(({ service }) => service === "pong")) {
    const lowest = figures.lowest(work, HAPROXIES, MEASURES.p99)
    lines.push(atMost(`p99, ${work.name}: HAProxy`, 1, figures.ratio(work, "native", lowest, MEASURES.p99)))
  }
  lines.push(memory("Memory of an idle connection", 1.5, figures.of(IDLE, "native")))
  for (const work of many) {
    lines.push(
      atMost(`JavaScript engine, CPU per GB, ${work.name}: default HAProxy`, 0.9, ratio("javascript", work, DEFAULT)),
    )
  }
  for (const work of CONNECTIONS.filter(({ id }) => id === "new")) {
    const lowest = figures.lowest(work, HAPROXIES)
    lines.push(atMost(`JavaScript engine, CPU, ${work.name}: HAProxy`, 3, ratio("javascript", work, lowest)))
  }
  lines.push(memory("JavaScript engine, memory of an idle connection", 15, figures.of(IDLE, "javascript")))
  for (const work of TWO_CORES) lines.push(cores(work, figures))
  return lines
}

/**
 * What a relay with two threads does in a second of CPU time, against `one`: twice as much as one, if that they are together
 * costs nothing. `alone`: one relay with one thread, whose visitors have the other core. `apart`: one of two such relays,
 * each on a core of its own, so that both cores are as busy as with two threads.
 */
export function scaling(work: Work, relay: string, one: "alone" | "apart", figures: Figures): number | undefined {
  const ratio = figures.ratio(work, one === "alone" ? relay : `${relay}-apart`, `${relay}-2`)
  return ratio === undefined ? undefined : 2 * ratio
}

function atMost(what: string, limit: number, got: number | undefined): Line {
  return { what, asked: `≤ ${limit} ×`, got, unit: "×", met: got !== undefined && got <= limit }
}

function memory(what: string, limitKb: number, gotBytes: number | undefined): Line {
  const got = gotBytes === undefined ? undefined : gotBytes / 1000
  return { what, asked: `≤ ${limitKb} kB`, got, unit: "kB", met: got !== undefined && got <= limitKb }
}

function cores(work: Work, figures: Figures): Line {
  const got = scaling(work, "native", "apart", figures)
  const alone = scaling(work, "native", "alone", figures)
  const note = ["by CPU time", alone && `${alone.toFixed(2)} × against one alone`, "see below"]
    .filter(Boolean)
    .join("; ")
  return {
    what: `Two cores, ${work.name}: one of two as busy`,
    asked: "≥ 1.8 ×",
    got,
    unit: "×",
    met: (got ?? 0) >= 1.8,
    note,
  }
}
