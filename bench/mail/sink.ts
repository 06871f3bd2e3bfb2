/** Where relayed mail ends: Postfix's smtp-sink, which counts and keeps nothing. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { closeSync, fstatSync, openSync, readSync } from "node:fs"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { judgePath } from "../../test/support/installed.ts"
import { accepts, freePort } from "../../test/support/program.ts"

export type Sink = { readonly port: number; received(): number; stop(): Promise<void> }

const BACKLOG = 1000

/** Counts into a file, which is looked at when somebody asks: a pipe would wake this program for every message, on the cores that are measured. */
export async function startSink(): Promise<Sink> {
  const port = await freePort()
  const folder = await mkdtemp(join(tmpdir(), "waypost-bench-sink-"))
  const counts = openSync(join(folder, "counts"), "w+")
  const child = spawn(judgePath("smtp-sink"), ["-u", "nobody", "-c", `127.0.0.1:${port}`, String(BACKLOG)], {
    stdio: ["ignore", counts, "ignore"],
  })
  await waitForPort(port)
  return {
    port,
    received: () => lastCount(counts),
    stop: async () => {
      child.kill("SIGTERM")
      if (child.exitCode === null) await once(child, "exit")
      closeSync(counts)
      await rm(folder, { recursive: true })
    },
  }
}

/** Ours: more than smtp-sink writes each time. */
const COUNT_BYTES_MAX = 200

function lastCount(counts: number): number {
  const end = Buffer.alloc(COUNT_BYTES_MAX)
  const from = Math.max(0, fstatSync(counts).size - COUNT_BYTES_MAX)
  const readBytes = readSync(counts, end, 0, COUNT_BYTES_MAX, from)
  const [last] = [...end.toString("latin1", 0, readBytes).matchAll(/mesg=(\d+)/g)].slice(-1)
  return Number(last?.[1] ?? 0)
}

/** Resolves when something accepts connections there. */
export async function waitForPort(port: number): Promise<void> {
  while (!(await accepts(port))) await sleep(50)
}
