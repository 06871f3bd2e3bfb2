/** The relay that is soaked, in a process of its own, and what it holds as the kernel counts it. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { readdirSync, readFileSync, readlinkSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Engine } from "../../src/net/engine.ts"
import { freePort } from "../../test/support/program.ts"
import { scheduled, type Scheduled } from "../strain/figures.ts"

/** Ours: how soon whoever says nothing is sent away, so that a short soak sees it as well. */
export const HELLO_DEADLINE_MS = 4_000

export type Used = { readonly sockets: number; readonly otherDescriptors: number; readonly rssBytes: number }

export class SoakedRelay implements AsyncDisposable {
  /** Where visitors come in. */
  readonly port: number
  readonly #servicePort: number
  readonly #folder: string
  readonly #child: ChildProcess

  static async start(engine: Engine["kind"], threads: number, servicePort: number): Promise<SoakedRelay> {
    const folder = await mkdtemp(join(tmpdir(), "waypost-soak-"))
    const port = await freePort()
    const file = join(folder, "relay.yaml")
    await writeFile(file, config(port, servicePort, false))
    const program = join(import.meta.dirname, "../dataplane/relay.ts")
    const child = spawn(process.execPath, [program, engine, String(threads), file], {
      stdio: ["ignore", "pipe", "inherit"],
    })
    await Promise.race([once(child.stdout, "data"), once(child, "exit")])
    if (child.exitCode !== null) throw new Error("the relay did not start")
    return new SoakedRelay(folder, port, servicePort, child)
  }

  private constructor(folder: string, port: number, servicePort: number, child: ChildProcess) {
    this.#folder = folder
    this.port = port
    this.#servicePort = servicePort
    this.#child = child
  }

  /** With one listener and one friend more, or without them; the others go on. */
  async reload(more: boolean): Promise<void> {
    const text = config(this.port, this.#servicePort, more)
    await writeFile(join(this.#folder, "relay.yaml"), text)
    this.#child.kill("SIGHUP")
  }

  get used(): Used {
    const open = descriptors(this.#child.pid ?? 0)
    const sockets = open.filter((what) => what.startsWith("socket:")).length
    const [, residentPages = "0"] = readFileSync(`/proc/${this.#child.pid}/statm`, "utf8").split(" ")
    return { sockets, otherDescriptors: open.length - sockets, rssBytes: Number(residentPages) * PAGE_BYTES }
  }

  get scheduled(): Scheduled {
    return scheduled(this.#child.pid ?? 0)
  }

  /** Ends it; what it says of itself if it did not end well. */
  async stop(): Promise<string | undefined> {
    const ended = once(this.#child, "exit")
    if (!this.#child.kill("SIGTERM")) return `it had ended with ${this.#child.exitCode ?? this.#child.signalCode}`
    const [code, signal] = (await ended) as [number | null, string | null]
    return code === 0 ? undefined : `it ended with ${code ?? signal}`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL")
    await rm(this.#folder, { recursive: true })
  }
}

const PAGE_BYTES = 4096

function descriptors(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${fd}`)]
    } catch {
      return [] // closed since the folder was read
    }
  })
}

/** Ours: an address whose ports are taken by no connection that somebody makes from 127.0.0.1 while nothing listens there. */
const COMES_AND_GOES = "127.99.0.1"

function config(port: number, servicePort: number, more: boolean): string {
  const route = `{ mode: dedicated, to: "127.0.0.1:${servicePort}" }`
  return `relay: { name: relay.soak.example, state: ./state }
listeners:
  https: { bind: ["127.0.0.1:${port}"], protocol: tls }
  ${more ? `more: { bind: ["${COMES_AND_GOES}:${port}"], protocol: tls }` : ""}
limits: { connections-per-source-max: 9000, hello-deadline: ${HELLO_DEADLINE_MS}ms }
friends:
  alice: { domains: [alice.example], routes: { https: ${route} } }
  ${more ? `dave: { domains: [dave.example], routes: { more: ${route} } }` : ""}
`
}
