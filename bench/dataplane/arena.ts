/** Runs the relays beside each other and one piece of work through one of them at a time. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { helloFor, type HelloKind } from "./hello.ts"
import { serverName, SERVICES, type Rival, type Service } from "./rivals.ts"

export type Work = {
  readonly id: string
  readonly service: Service
  /** Connections at a time. */
  readonly connections: number
  readonly hello?: HelloKind
}

/** What load.c prints; `bytesPerConnection` for idle ones, the percentiles for `new` and `pong`. */
export type Sample = {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly gigabytes: number
  readonly done: number
  readonly errors: number
  readonly p50Us: number
  readonly p99Us: number
  readonly bytesPerConnection: number
}

export type Timing = { readonly warmMs: number; readonly runMs: number }

/** A relay that runs. `direct` is none: the load goes straight to the services. */
export type Contender = { readonly id: string; readonly name: string; readonly port: number; pids(): readonly number[] }

const SERVICES_PORT = 7100
const FIRST_RELAY_PORT = 7001
const START_PATIENCE_MS = 10_000
/** Of one run, beyond its own time. */
const LOAD_PATIENCE_MS = 40_000

export class Arena implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "waypost-bench-"))
  readonly #relayCores: string
  readonly #loadCore: string
  readonly #threads: number
  readonly #children: ChildProcess[] = []
  #nextPort = FIRST_RELAY_PORT

  /** The relays share `relayCores` cores from 0 on, the load has the last one. */
  constructor(relayCores: number, cores: number) {
    this.#threads = relayCores
    this.#relayCores = relayCores === 1 ? "0" : `0-${relayCores - 1}`
    this.#loadCore = String(cores - 1)
  }

  async open(): Promise<void> {
    execFileSync("cc", ["-std=gnu11", "-O2", "-o", this.#file("load"), join(import.meta.dirname, "load.c")])
    const services = this.#spawn(this.#loadCore, [this.#file("load"), "serve", String(SERVICES_PORT)])
    await accepts(SERVICES_PORT, services)
  }

  async start(rival: Rival): Promise<Contender> {
    const port = this.#nextPort++
    const ground = { folder: this.#folder, port, servicesPort: SERVICES_PORT, threads: this.#threads }
    const child = this.#spawn(this.#relayCores, rival.command(ground))
    await accepts(port, child)
    return { id: rival.id, name: rival.name, port, pids: () => tree(child.pid ?? 0) }
  }

  async stop(contender: Contender): Promise<void> {
    const child = this.#children.find(({ pid }) => pid === contender.pids()[0])
    if (child) await ended(child)
  }

  /** The services without a relay; their processor time is not measured. */
  get direct(): Contender {
    return { id: "direct", name: "no relay", port: SERVICES_PORT, pids: () => [] }
  }

  run(work: Work, contender: Contender, { warmMs, runMs }: Timing): Sample {
    const offset = contender.id === "direct" ? SERVICES.indexOf(work.service) : 0
    const hello = this.#hello(work)
    const timing = [work.connections, warmMs, runMs].map(String)
    const load = [this.#file("load"), work.service, String(contender.port + offset), hello, ...timing]
    const { stdout, stderr, status } = spawnSync(
      "taskset",
      ["-c", this.#loadCore, ...load, contender.pids().join(",")],
      {
        encoding: "utf8",
        timeout: warmMs + runMs + LOAD_PATIENCE_MS,
      },
    )
    if (status !== 0) throw new Error(`${work.id} through ${contender.name}: ${stderr}`)
    return JSON.parse(stdout) as Sample // load.c prints this and nothing else
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await ended(child)
    rmSync(this.#folder, { recursive: true })
  }

  #hello({ service, hello = "standard" }: Work): string {
    const file = this.#file(`${service}-${hello}.hello`)
    writeFileSync(file, helloFor(serverName(service), hello))
    return file
  }

  #spawn(cores: string, command: readonly string[]): ChildProcess {
    const child = spawn("taskset", ["-c", cores, ...command], { stdio: ["ignore", "ignore", "inherit"] })
    this.#children.push(child)
    return child
  }

  #file(name: string): string {
    return join(this.#folder, name)
  }
}

async function accepts(port: number, child: ChildProcess): Promise<void> {
  const until = performance.now() + START_PATIENCE_MS
  while (performance.now() < until && child.exitCode === null) {
    const socket = connect(port, "127.0.0.1")
    const connected = await once(socket, "connect").then(
      () => true,
      () => false,
    )
    socket.destroy()
    if (connected) return
    await delay(50)
  }
  throw new Error(`${child.spawnargs.join(" ")} does not listen on ${port}`)
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, "exit")
  child.kill("SIGTERM")
  await gone
}

/** A process and its children: some relays work in those. */
function tree(pid: number): readonly number[] {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" "))
  return [pid, ...children.filter(Boolean).flatMap((child) => tree(Number(child)))]
}
