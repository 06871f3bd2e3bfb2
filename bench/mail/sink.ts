/** Where relayed mail ends: Postfix's smtp-sink, which counts and keeps nothing. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { judgePath } from "../../test/support/installed.ts"
import { accepts, freePort } from "../../test/support/program.ts"

export type Sink = { readonly port: number; received(): number; stop(): Promise<void> }

const BACKLOG = 1000

export async function startSink(): Promise<Sink> {
  const port = await freePort()
  const child = spawn(judgePath("smtp-sink"), ["-u", "nobody", "-c", `127.0.0.1:${port}`, String(BACKLOG)], {
    stdio: ["ignore", "pipe", "ignore"],
  })
  let count = 0
  child.stdout.on("data", (bytes: Buffer) => {
    const [last] = [...bytes.toString().matchAll(/mesg=(\d+)/g)].slice(-1)
    count = Number(last?.[1] ?? count)
  })
  await waitForPort(port)
  return {
    port,
    received: () => count,
    stop: async () => {
      child.kill("SIGTERM")
      if (child.exitCode === null) await once(child, "exit")
    },
  }
}

/** Resolves when something accepts connections there. */
export async function waitForPort(port: number): Promise<void> {
  while (!(await accepts(port))) await sleep(50)
}
