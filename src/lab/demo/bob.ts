/**
 * Bob: a relay as anybody would run it, in a process of its own, with the recorder loaded so that what he says about
 * himself can be compared with what he held.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { readdir, readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { socketAddress, type SocketAddress } from "../../names/endpoint.ts"
import type { Verdict } from "../../policy/verdict.ts"
import { readRecording, recorderArguments, RECORDING_VARIABLE, streamsWith } from "../recorder/recording.ts"

export type Bob = AsyncDisposable & {
  /** Where his relay listens, by "listener address" as configured. */
  readonly bound: ReadonlyMap<string, SocketAddress>
  readonly admin: SocketAddress
  /** Whether his process held the text in the clear, on any socket, in any direction. */
  heldInClear(text: string): Promise<boolean>
  /** Whether the text lies in his state folder now. */
  keepsOnDisk(text: string): Promise<boolean>
  /** What his relay says about itself. */
  verdicts(): Promise<readonly Verdict[]>
}

export type BobOptions = {
  /** The file that `node` runs as `waypost`. */
  readonly program: string
  readonly folder: string
  /** The relay's configuration; its state is in `folder`/state, and admin is on. */
  readonly configuration: string
}

/** Starts the relay and waits until it says that it runs. Rejects with the relay's own words if it does not. */
export async function openBob({ program, folder, configuration }: BobOptions): Promise<Bob> {
  const file = join(folder, "relay.yaml")
  const recording = join(folder, "recording.jsonl")
  await writeFile(file, configuration)
  await writeFile(recording, "")
  const relay = spawn(
    process.execPath,
    [...process.execArgv, ...recorderArguments(), program, "relay", "-c", file, "--engine", "javascript"],
    {
      stdio: ["ignore", "pipe", "pipe", "ipc"], // the relay ends when the channel does: it never outlives the demo
      env: { ...process.env, [RECORDING_VARIABLE]: recording },
    },
  )
  await using undo = new AsyncDisposableStack()
  undo.defer(() => stop(relay))
  const { bound, admin } = await started(relay)
  const kept = undo.move()
  return {
    bound,
    admin,
    heldInClear: async (text) => streamsWith(await readRecording(recording), text).length > 0,
    keepsOnDisk: (text) => anyFileHas(join(folder, "state"), text),
    verdicts: async () => {
      const answer = await fetch(`http://127.0.0.1:${admin.port}/verdicts`)
      return (await answer.json()) as readonly Verdict[] // what our own program has written
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  }
}

/** One line of the relay's log (pino). */
type Event = { readonly msg: string; readonly listener?: string; readonly asked?: string; readonly bound?: string }

async function started(relay: ChildProcess): Promise<Pick<Bob, "bound" | "admin">> {
  const bound = new Map<string, SocketAddress>()
  const complaint = collect(relay)
  const { stdout } = relay
  if (!stdout) throw new Error("the relay was started without a standard output")
  const lines = createInterface({ input: stdout })
  for await (const line of lines) {
    const event = JSON.parse(line) as Event
    const address = socketAddress(event.bound ?? "")
    if (event.msg === "listening" && address) bound.set(`${event.listener} ${event.asked}`, address)
    if (event.msg === "started") {
      stdout.resume() // nobody reads the rest; the relay must not wait for us
      return { bound, admin: bound.get("admin 127.0.0.1:0") ?? missing("admin") }
    }
  }
  throw new Error(`Bob's relay did not start: ${complaint()}`)
}

function collect({ stderr }: ChildProcess): () => string {
  let said = ""
  stderr?.on("data", (piece: Buffer) => (said += piece.toString()))
  return () => said.trim()
}

function missing(listener: string): never {
  throw new Error(`Bob's relay started without ${listener}`)
}

async function anyFileHas(folder: string, text: string): Promise<boolean> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => Buffer.alloc(0)))) // gone meanwhile
  return contents.some((content) => content.includes(text))
}

async function stop(relay: ChildProcess): Promise<void> {
  if (relay.exitCode !== null || relay.signalCode !== null) return
  relay.kill("SIGTERM")
  await once(relay, "exit")
}
