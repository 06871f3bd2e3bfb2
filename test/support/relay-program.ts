/**
 * A relay as its operator runs it: `waypost relay -c FILE` in a process of its own, its state in a folder of its own.
 * What it logs is all that is known of it. When a test is done with it, it must end by itself, cleanly.
 */
import { once } from "node:events"
import { mkdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import type { Engine } from "../../src/net/engine.ts"
import { scratchFolder } from "./program.ts"
import { eventually } from "./eventually.ts"
import { startWaypost } from "./waypost.ts"

export type LogLine = { readonly msg: string } & Readonly<Record<string, unknown>>

export type RelayProgram = AsyncDisposable & {
  readonly pid: number
  /** The port it took, by the listener's name and the address that it was asked to bind. */
  port(listener: string, address?: string): number
  readonly log: readonly LogLine[]
  /** The first line of this event that has these fields, once it is there. */
  logged(event: string, fields?: Readonly<Record<string, unknown>>): Promise<LogLine>
  signal(name: NodeJS.Signals): void
  /** Resolves when it has ended; rejects if it does not end with 0. Another process may have its place. */
  ended(): Promise<void>
  /** As its operator stops it; rejects if it does not end with 0. */
  stop(): Promise<void>
}

export type RelayProgramOptions = {
  /** Where the file and the state are; a folder of its own unless given. Give the same one to start a relay again. */
  readonly folder?: string
  /** How far its clock is ahead of ours: the way to start it again tomorrow. */
  readonly clockAheadMs?: number
  /** The best one that is built unless given. */
  readonly engine?: Engine["kind"]
  /** Besides ours. */
  readonly env?: NodeJS.ProcessEnv
}

/** `yaml`: everything but `relay:`. Binds to port 0 are the way to have any free one. */
export async function startRelayProgram(yaml: string, options: RelayProgramOptions = {}): Promise<RelayProgram> {
  await using undo = new AsyncDisposableStack()
  const folder = options.folder ?? undo.use(await scratchFolder()).path
  const file = join(folder, "relay.yaml")
  await mkdir(folder, { recursive: true })
  await writeFile(file, `relay:\n  name: relay.bob.example\n  state: ./state\n${yaml}`)

  const child = startWaypost(["relay", "-c", file, ...(options.engine ? ["--engine", options.engine] : [])], {
    node: clockFlags(options.clockAheadMs),
    ...(options.env && { env: options.env }),
  })
  const exited = once(child, "exit")
  const log: LogLine[] = []
  let complaint = ""
  createInterface(child.stdout).on("line", (line) => void log.push(JSON.parse(line) as LogLine)) // what pino wrote
  child.stderr.on("data", (piece: Buffer) => (complaint += piece.toString()))
  const tell = () => `${complaint}${log.map((line) => JSON.stringify(line)).join("\n")}`

  const find = (event: string, fields: Readonly<Record<string, unknown>>) =>
    log.find((line) => line.msg === event && Object.entries(fields).every(([key, value]) => line[key] === value))
  const logged = async (event: string, fields: Readonly<Record<string, unknown>> = {}) => {
    await eventually(`the relay logs ${event} ${JSON.stringify(fields)}`, () => {
      if (child.exitCode !== null && !find(event, fields)) throw new Error(`the relay has ended:\n${tell()}`)
      return find(event, fields) !== undefined
    })
    return find(event, fields) ?? { msg: event }
  }
  const ended = async () => {
    await exited
    if (child.exitCode !== 0) throw new Error(`the relay ended with ${child.exitCode ?? child.signalCode}:\n${tell()}`)
  }
  const stop = () => {
    child.kill("SIGTERM")
    return ended()
  }
  undo.defer(stop)
  await logged("started")
  const closing = undo.move()
  return {
    pid: child.pid ?? 0,
    log,
    logged,
    port: (listener, address = "127.0.0.1") => {
      const line = log.find((each) => each["listener"] === listener && String(each["asked"]).startsWith(`${address}:`))
      return Number(String(line?.["bound"]).split(":").at(-1))
    },
    stop,
    ended,
    signal: (name) => void child.kill(name),
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

/** The program is unchanged; only what Node tells it of the time is. */
function clockFlags(aheadMs: number | undefined): readonly string[] {
  if (aheadMs === undefined) return []
  const source = `const now = Date.now; Date.now = () => now() + ${aheadMs}`
  return ["--import", `data:text/javascript,${encodeURIComponent(source)}`]
}
