/** Runs the relays beside each other and one piece of work through one of them at a time. */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { helloFor } from "./hello.ts"
import { serverName, SERVICES, type Rival } from "./rivals.ts"
import type { Sample, Work } from "./work.ts"

export type Timing = { readonly warmMs: number; readonly runMs: number }

/** A relay that runs. `direct` is none: the load goes straight to the services. */
export type Contender = {
  readonly id: string
  readonly name: string
  /** Visitors go to each of them in turn. */
  readonly ports: readonly number[]
  readonly pids: () => readonly number[]
  readonly stop: () => Promise<void>
}

const SERVICES_PORT = 7100
const FIRST_RELAY_PORT = 7001
const START_PATIENCE_MS = 30_000
/** Of one run, beyond its own time. */
const LOAD_PATIENCE_MS = 40_000

export class Arena implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), "waypost-bench-"))
  readonly #cores: number
  readonly #children: ChildProcess[] = []
  #services: ChildProcess | undefined
  #nextPort = FIRST_RELAY_PORT

  /** Relays run from core 0 on; services and visitors have the last one. */
  constructor(cores: number) {
    this.#cores = cores
  }

  async open(): Promise<void> {
    execFileSync("cc", ["-std=gnu11", "-O2", "-o", this.#file("load"), join(import.meta.dirname, "load.c")])
    this.#services = this.#spawn(this.#lastCore, [this.#file("load"), "serve", String(SERVICES_PORT)])
    await accepts(SERVICES_PORT, this.#services)
  }

  /** With a thread for each of `cores` cores. */
  async start(rival: Rival, cores = 1): Promise<Contender> {
    const { port, child } = await this.#relay(rival, cores === 1 ? "0" : `0-${cores - 1}`, cores)
    return {
      id: cores === 1 ? rival.id : `${rival.id}-${cores}`,
      name: rival.name,
      ports: [port],
      pids: () => tree(child.pid ?? 0),
      stop: () => ended(child),
    }
  }

  /** As many relays as cores, each with one thread on a core of its own: they share nothing but the machine. */
  async startApart(rival: Rival, cores: number): Promise<Contender> {
    const relays: { readonly port: number; readonly child: ChildProcess }[] = []
    for (let core = 0; core < cores; core++) relays.push(await this.#relay(rival, String(core), 1))
    return {
      id: `${rival.id}-apart`,
      name: rival.name,
      ports: relays.map(({ port }) => port),
      pids: () => relays.flatMap(({ child }) => tree(child.pid ?? 0)),
      stop: async () => void (await Promise.all(relays.map(({ child }) => ended(child)))),
    }
  }

  async #relay(rival: Rival, cores: string, threads: number) {
    const port = this.#nextPort++
    const child = this.#spawn(
      cores,
      rival.command({ folder: this.#folder, port, servicesPort: SERVICES_PORT, threads }),
    )
    await accepts(port, child)
    return { port, child }
  }

  /** The services without a relay: what they need themselves. */
  get direct(): Contender {
    const services = this.#services
    const pids = (): readonly number[] => (services ? tree(services.pid ?? 0) : [])
    return { id: "direct", name: "no relay", ports: [SERVICES_PORT], pids, stop: () => Promise.resolve() }
  }

  /** `everywhere`: the visitors may use every core. */
  run(work: Work, contender: Contender, { warmMs, runMs }: Timing, everywhere = false): Sample {
    const offset = contender.id === "direct" ? SERVICES.indexOf(work.service) : 0
    const hello = this.#hello(work)
    const timing = [work.connections, warmMs, runMs].map(String)
    const ports = contender.ports.map((port) => port + offset).join(",")
    const load = [this.#file("load"), work.service, ports, hello, ...timing]
    const cores = everywhere ? `0-${this.#cores - 1}` : this.#lastCore
    const { stdout, stderr, status } = spawnSync("taskset", ["-c", cores, ...load, contender.pids().join(",")], {
      encoding: "utf8",
      timeout: warmMs + runMs + LOAD_PATIENCE_MS,
    })
    if (status !== 0) throw new Error(`${work.id} through ${contender.name}: ${stderr}`)
    return JSON.parse(stdout) as Sample // load.c prints this and nothing else
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await ended(child)
    rmSync(this.#folder, { recursive: true })
  }

  get #lastCore(): string {
    return String(this.#cores - 1)
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
