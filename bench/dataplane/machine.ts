/** What a run was made on, and with which versions: without it no number means anything. */
import { spawnSync } from "node:child_process"
import { arch, cpus, loadavg, release, totalmem } from "node:os"
import { judgePath, type Judge } from "../../test/support/installed.ts"

export type Machine = {
  readonly cpu: string
  readonly cores: number
  readonly memoryGb: number
  readonly kernel: string
  /** Name and version of each program. */
  readonly programs: readonly string[]
}

const VERSIONS: readonly (readonly [Judge, string, RegExp])[] = [
  ["haproxy", "-v", /version ([\d.]+)/],
  ["nginx", "-v", /nginx\/([\d.]+)/],
  ["sniproxy", "-V", /sniproxy ([\d.]+)/],
]

export function machine(): Machine {
  const programs = VERSIONS.map(([program, flag, pattern]) => {
    const { stdout, stderr } = spawnSync(judgePath(program), [flag], { encoding: "utf8" })
    return `${program} ${pattern.exec(stdout + stderr)?.[1] ?? "?"}`
  })
  return {
    cpu: cpus()[0]?.model.trim() ?? "?",
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: `Linux ${release()} ${arch()}`,
    programs: [...programs, `Node.js ${process.versions.node}`],
  }
}

/** How many programs ran or wanted to, over the last minute: ours and everybody's. */
export function load(): number {
  return loadavg()[0] ?? 0
}
