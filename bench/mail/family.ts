/** Processor time and memory of a program with everything it has started, from proc(5). */
import { readdirSync, readFileSync } from "node:fs"

/** USER_HZ: what proc(5) counts in, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** Seconds that this process, those it has started, and those of them that have ended took so far. */
export function cpuSeconds(pid: number): number {
  const ticks = familyOf(pid).reduce((sum, { own, reaped }) => sum + own + reaped, 0)
  return ticks / TICKS_PER_SECOND
}

/** Memory of this process and those it has started: what they share is shared out between them. */
export function pssBytes(pid: number): number {
  return familyOf(pid).reduce((sum, { id }) => sum + pssOf(id), 0)
}

function pssOf(pid: number): number {
  try {
    const kib = /^Pss:\s+(?<kib>\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.groups?.["kib"]
    return Number(kib ?? 0) * 1024
  } catch {
    return 0 // it has just ended
  }
}

function familyOf(pid: number): readonly Stat[] {
  const processes = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => readStat(Number(name)) ?? [])
  const family = new Set([pid])
  for (let grown = true; grown;) {
    const before = family.size
    for (const { id, parent } of processes) if (family.has(parent)) family.add(id)
    grown = family.size > before
  }
  return processes.filter(({ id }) => family.has(id))
}

type Stat = { readonly id: number; readonly parent: number; readonly own: number; readonly reaped: number }

function readStat(id: number): Stat | undefined {
  try {
    const text = readFileSync(`/proc/${id}/stat`, "utf8")
    const fields = text
      .slice(text.lastIndexOf(")") + 2)
      .split(" ")
      .map(Number) // from "state" on, field 3
    const [parent = 0, user = 0, system = 0, reapedUser = 0, reapedSystem = 0] = [1, 11, 12, 13, 14].map(
      (at) => fields[at],
    )
    return { id, parent, own: user + system, reaped: reapedUser + reapedSystem }
  } catch {
    return undefined // it has just ended
  }
}
