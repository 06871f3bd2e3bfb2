/** The lines that a backup MX is held to, beside what was measured. */
import { POSTFIX } from "./contestants.ts"
import type { Load, Measured } from "./throughput.ts"

export type Row = Measured

export type Line = {
  readonly who: string
  readonly line: string
  readonly asked: string
  readonly measured: number
  readonly met: boolean
}

type Memory = { readonly largeMailBytes: number; readonly idleSessionBytes: number | undefined }

/** Asked of this machine: 2 cores, fsync included. */
const PER_SECOND_MIN: Readonly<Record<Load, number>> = {
  "a connection for each message": 1_000,
  "connections reused": 1_500,
}
const CPU_MS_MAX = 1.2
const POSTFIX_RATIO_MIN = 1.2
const LARGE_MAIL_MB_MAX = 60
const IDLE_KB_MAX = 20

export function linesOf(who: string, rows: readonly Row[], memory: Memory | undefined): readonly Line[] {
  const loads = Object.keys(PER_SECOND_MIN) as Load[]
  return [
    ...loads.flatMap((load) => loadLines(who, load, rows)),
    atMost({ who, line: "memory of a 50 MB mail, MB" }, LARGE_MAIL_MB_MAX, (memory?.largeMailBytes ?? NaN) / 1e6),
    atMost({ who, line: "memory of an idle session, kB" }, IDLE_KB_MAX, (memory?.idleSessionBytes ?? NaN) / 1e3),
  ]
}

function loadLines(who: string, load: Load, rows: readonly Row[]): readonly Line[] {
  const of = (name: string): Row | undefined => rows.find((row) => row.who === name && row.load === load)
  const [own, postfix] = [of(who), of(POSTFIX)]
  const relayed = own?.relayedPerSecond ?? NaN
  return [
    atLeast({ who, line: `${load}: accepted and relayed each second` }, PER_SECOND_MIN[load], relayed),
    atLeast(
      { who, line: `${load}: times Postfix's end-to-end rate` },
      POSTFIX_RATIO_MIN,
      relayed / (postfix?.relayedPerSecond ?? NaN),
    ),
    atMost({ who, line: `${load}: CPU ms for each message` }, CPU_MS_MAX, own?.cpuMsPerMessage ?? NaN),
  ]
}

type About = Pick<Line, "who" | "line">

function atLeast(about: About, min: number, measured: number): Line {
  return { ...about, asked: `at least ${min}`, measured: rounded(measured), met: measured >= min }
}

function atMost(about: About, max: number, measured: number): Line {
  return { ...about, asked: `at most ${max}`, measured: rounded(measured), met: measured <= max }
}

function rounded(measured: number): number {
  return measured >= 100 ? Math.round(measured) : Number(measured.toFixed(2))
}
