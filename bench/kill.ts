/**
 * Kills the relay again and again while twenty senders mail through it, and counts what was promised and did not come:
 * `npm run kill`, `npm run kill -- --kills 500 --seed 7 --json`. Exit code 1 if a single acknowledged message is lost.
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { accepts, freePort } from "../test/support/program.ts"
import { Ledger, type Counts } from "./kill/ledger.ts"
import { openSink } from "./kill/sink.ts"
import { sendUntil } from "./kill/sender.ts"

const { values: asked } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    senders: { type: "string", default: "20" },
    /** What each sender waits between messages, in milliseconds; 0 keeps the relay as busy as it can be. */
    pause: { type: "string", default: "0" },
    /** What the moments of the kills are drawn from; printed, so that a run can be repeated. */
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    json: { type: "boolean", default: false },
  },
})

/** Ours: once it listens, the relay lives this long at most before it is killed. */
const LIFE_MS_MAX = 3_000
/** Ours: one kill in so many comes this soon after the start, mostly while the relay is still reading its spool. */
const EARLY_ONE_IN = 8
const EARLY_MS_MAX = 1_000
/** Ours: a relay that does not listen by then has failed. */
const READY_MS_MAX = 60_000
/** Ours: after the last start, this long without an arrival and still something missing means that it is lost. */
const PATIENCE_MS = 60_000

type Result = Counts & { readonly kills: number; readonly seed: number; readonly seconds: number }

async function run(kills: number, senders: number, pauseMs: number, seed: number): Promise<Result> {
  const started = performance.now()
  const folder = await mkdtemp(join(tmpdir(), "waypost-kill-"))
  const ledger = new Ledger()
  const dice = seededDice(seed)
  await using sink = await openSink(ledger)
  const port = await freePort()
  await writeFile(join(folder, "relay.yaml"), configuration(folder, port, sink.port))
  const end = new AbortController()
  const sending = Promise.all(Array.from({ length: senders }, () => sendUntil(end.signal, port, ledger, pauseMs)))
  for (let killed = 0; killed < kills; killed++) {
    const relay = startRelay(folder)
    const early = dice() < 1 / EARLY_ONE_IN
    if (!early) await listening(port)
    await Promise.race([sending, delay(dice() * (early ? EARLY_MS_MAX : LIFE_MS_MAX))])
    await kill(relay, "SIGKILL")
    tell(killed + 1, kills, ledger.counts)
  }
  const last = startRelay(folder)
  await listening(port)
  await delay(LIFE_MS_MAX)
  end.abort()
  await sending
  await arrivals(ledger)
  await kill(last, "SIGTERM")
  await rm(folder, { recursive: true })
  return { ...ledger.counts, kills, seed, seconds: Math.round((performance.now() - started) / 1000) }
}

function startRelay(folder: string): ChildProcess {
  const program = join(import.meta.dirname, "..", "src", "cli", "main.ts")
  const args = ["--disable-warning=ExperimentalWarning", program, "relay", "--config", join(folder, "relay.yaml")]
  const relay = spawn(process.execPath, args, { stdio: ["ignore", "ignore", "inherit"] })
  endWithUs = relay
  return relay
}

/** Whoever interrupts the run does not leave a relay behind. */
let endWithUs: ChildProcess | undefined
process.on("exit", () => endWithUs?.kill("SIGKILL"))
process.on("SIGINT", () => process.exit(130))

function configuration(folder: string, port: number, sinkPort: number): string {
  const lines = [
    `relay: { name: relay.bob.example, state: ${join(folder, "state")} }`,
    `listeners: { smtp: { bind: ["127.0.0.1:${port}"], protocol: smtp } }`,
    "friends:",
    "  dave:",
    "    domains: [dave.example]",
    `    routes: { smtp: { mode: peer, to: "127.0.0.1:${sinkPort}", cut-through: false } }`,
  ]
  return lines.join("\n")
}

async function listening(port: number): Promise<void> {
  for (const since = performance.now(); performance.now() - since < READY_MS_MAX; await delay(20)) {
    if (await accepts(port)) return
  }
  throw new Error("the relay does not listen")
}

async function kill(relay: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (relay.exitCode !== null) throw new Error(`the relay ended by itself with exit code ${relay.exitCode}`)
  const exited = once(relay, "exit")
  relay.kill(signal)
  await exited
}

/** Resolves when nothing is missing, or when nothing has come for so long that it will not. */
async function arrivals(ledger: Ledger): Promise<void> {
  let missing = ledger.missing.length
  for (let since = performance.now(); missing > 0 && performance.now() - since < PATIENCE_MS;) {
    await delay(100)
    const now = ledger.missing.length
    if (now < missing) since = performance.now()
    missing = now
  }
}

/** Mulberry32: the same seed, the same moments. */
function seededDice(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

function tell(killed: number, kills: number, { acknowledged, lost }: Counts): void {
  if (!process.stderr.isTTY && killed % 10 !== 0 && killed !== kills) return
  const line = `kill ${killed}/${kills}: ${acknowledged} acknowledged, ${lost} under way`
  process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K` : `${line}\n`)
}

function text({ acknowledged, lost, twice, unpromised, kills, seed, seconds }: Result): string {
  const share = acknowledged > 0 ? ((100 * twice) / acknowledged).toFixed(3) : "0"
  return [
    `${kills} kills in ${seconds} s (seed ${seed})`,
    `acknowledged  ${acknowledged}`,
    `lost          ${lost}`,
    `twice         ${twice} (${share} %)`,
    `kept, but its sender was killed off before he heard 250: ${unpromised}`,
  ].join("\n")
}

const result = await run(Number(asked.kills), Number(asked.senders), Number(asked.pause), Number(asked.seed))
if (process.stderr.isTTY) process.stderr.write("\n")
console.log(asked.json ? JSON.stringify(result) : text(result))
process.exitCode = result.lost > 0 ? 1 : 0
