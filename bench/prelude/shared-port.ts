/** A relay with one friend behind a shared port 25, in a process of its own, and what it uses as the kernel counts it. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readFileSync } from "node:fs"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { MAIN } from "../../test/support/waypost.ts"
import { cpuSeconds } from "../mail/family.ts"

export const FRIENDS_HOST = "mx.alice.example"
/** An address of the friend's own, where nothing is spoken for her. */
export const OWN_ADDRESS = "127.0.0.2"

export type SharedPort = AsyncDisposable & {
  /** On 127.0.0.1, where the name behind STARTTLS decides. */
  readonly port: number
  /** On `OWN_ADDRESS`, where every byte is passed on. */
  readonly ownPort: number
  cpuSeconds(): number
  rssBytes(): number
}

/** `preludeDeadline`: as in the configuration, "10s". */
export async function openSharedPort(homePort: number, preludeDeadline: string): Promise<SharedPort> {
  const folder = await mkdtemp(join(tmpdir(), "waypost-prelude-"))
  const file = join(folder, "relay.yaml")
  await writeFile(file, configuration(homePort, preludeDeadline))
  const child = spawn(process.execPath, [MAIN, "relay", "-c", file], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, NODE_OPTIONS: "--disable-warning=ExperimentalWarning" },
  })
  const ports = await portsOf(child)
  const pid = child.pid ?? 0
  return {
    port: ports.get("127.0.0.1") ?? 0,
    ownPort: ports.get(OWN_ADDRESS) ?? 0,
    cpuSeconds: () => cpuSeconds(pid),
    rssBytes: () => Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * PAGE_BYTES,
    async [Symbol.asyncDispose]() {
      const ended = once(child, "exit")
      child.kill("SIGKILL")
      await ended
      await rm(folder, { recursive: true })
    },
  }
}

const PAGE_BYTES = 4096

/** From its log; it is read on to the end, or the relay would wait for somebody to read. */
async function portsOf(child: ChildProcess): Promise<ReadonlyMap<string, number>> {
  const ports = new Map<string, number>()
  if (!child.stdout) throw new Error("a pipe was asked for")
  const lines = createInterface(child.stdout)
  await new Promise<void>((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`the relay ended with ${code}`)))
    lines.on("line", (line) => {
      const { msg, bound } = JSON.parse(line) as { readonly msg: string; readonly bound?: string } // what pino wrote
      const [, address = "", port] = /^(.*):(\d+)$/.exec(bound ?? "") ?? []
      if (msg === "listening") ports.set(address, Number(port))
      if (msg === "started") resolve()
    })
  })
  return ports
}

function configuration(homePort: number, preludeDeadline: string): string {
  const to = `"127.0.0.1:${homePort}"`
  return `relay: { name: relay.bench.example, state: ./state }
limits:
  connections-max: 30000
  connections-per-source-max: 30000
  connections-per-friend-max: 30000
  prelude-deadline: ${preludeDeadline}
listeners:
  shared: { bind: "127.0.0.1:0", protocol: smtp }
  own: { bind: "${OWN_ADDRESS}:0", protocol: smtp, friend: alice }
friends:
  alice:
    domains: [${FRIENDS_HOST}]
    routes:
      shared: { mode: dedicated, to: ${to} }
      own: { mode: dedicated, to: ${to} }
`
}
