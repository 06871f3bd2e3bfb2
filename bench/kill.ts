/**
 * Kills the relay again and again while twenty senders mail through it, and counts what was promised and did not come:
 * `npm run kill`, `npm run kill -- --home box --kills 500 --seed 7 --json`. With a box in front of the sink, one or the other is
 * killed, by chance. Exit code 1 if a single acknowledged message is lost.
 */
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { accepts, freePort } from "../test/support/program.ts"
import { boxIsUp, HOMES, joinedBox, relayFile, type Home } from "./kill/home.ts"
import { Ledger, type Counts } from "./kill/ledger.ts"
import { openSink } from "./kill/sink.ts"
import { sendUntil } from "./kill/sender.ts"
import { Victim } from "./kill/victim.ts"

const { values: asked } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    /** `smtp`: the relay delivers to the sink itself. `box`: to a box, whose own server the sink is. */
    home: { type: "string", default: "smtp" },
    /** Of the kills with a box, how many meet the box and not the relay. */
    "box-share": { type: "string", default: "0.5" },
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

type Plan = {
  readonly home: Home
  readonly kills: number
  readonly boxShare: number
  readonly senders: number
  readonly pauseMs: number
  readonly seed: number
}
type Result = Counts & Pick<Plan, "home" | "kills" | "seed"> & { readonly ofTheBox: number; readonly seconds: number }

async function run({ home, kills, boxShare, senders, pauseMs, seed }: Plan): Promise<Result> {
  const started = performance.now()
  const folder = await mkdtemp(join(tmpdir(), "waypost-kill-"))
  const ledger = new Ledger()
  const dice = seededDice(seed)
  await using sink = await openSink(ledger)
  const port = await freePort()
  const ports = { smtp: port, tunnel: await freePort(), sink: sink.port }
  await writeFile(join(folder, "relay.yaml"), relayFile(folder, home, ports))
  const relay = new Victim(["relay", "--config", join(folder, "relay.yaml")])
  relay.start()
  await listening(port)
  const box = home === "box" ? await joinedBox(folder, ports) : undefined
  let ofTheBox = 0
  const end = new AbortController()
  const sending = Promise.all(Array.from({ length: senders }, () => sendUntil(end.signal, port, ledger, pauseMs)))
  const begin = (): number => {
    relay.start()
    box?.start()
    return Date.now()
  }
  for (let killed = 0; killed < kills; killed++) {
    const since = begin()
    const victim = box && dice() < boxShare ? box : relay
    const early = dice() < 1 / EARLY_ONE_IN
    if (!early) await listening(port)
    if (!early && box) await until("the box is not attached", () => boxIsUp(folder, since))
    await Promise.race([sending, delay(dice() * (early ? EARLY_MS_MAX : LIFE_MS_MAX))])
    await victim.kill("SIGKILL")
    if (victim === box) ofTheBox += 1
    tell(killed + 1, kills, ledger.counts)
  }
  begin()
  await listening(port)
  await delay(LIFE_MS_MAX)
  end.abort()
  await sending
  await arrivals(ledger)
  await relay.kill("SIGTERM")
  await box?.kill("SIGTERM")
  await rm(folder, { recursive: true })
  return { ...ledger.counts, home, kills, ofTheBox, seed, seconds: Math.round((performance.now() - started) / 1000) }
}

process.on("SIGINT", () => process.exit(130))

function listening(port: number): Promise<void> {
  return until("the relay does not listen", () => accepts(port))
}

async function until(otherwise: string, isSo: () => Promise<boolean>): Promise<void> {
  for (const since = performance.now(); performance.now() - since < READY_MS_MAX; await delay(20)) {
    if (await isSo()) return
  }
  throw new Error(otherwise)
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

function text({ acknowledged, lost, twice, unpromised, home, kills, ofTheBox, seed, seconds }: Result): string {
  const share = acknowledged > 0 ? ((100 * twice) / acknowledged).toFixed(3) : "0"
  return [
    `${kills} kills, ${ofTheBox} of them of the box, in ${seconds} s (home ${home}, seed ${seed})`,
    `acknowledged  ${acknowledged}`,
    `lost          ${lost}`,
    `twice         ${twice} (${share} %)`,
    `kept, but its sender was killed off before he heard 250: ${unpromised}`,
  ].join("\n")
}

const home = HOMES.find((one) => one === asked.home)
if (!home) throw new Error(`--home is one of ${HOMES.join(", ")}`)
const result = await run({
  home,
  kills: Number(asked.kills),
  boxShare: Number(asked["box-share"]),
  senders: Number(asked.senders),
  pauseMs: Number(asked.pause),
  seed: Number(asked.seed),
})
if (process.stderr.isTTY) process.stderr.write("\n")
console.log(asked.json ? JSON.stringify(result) : text(result))
process.exitCode = result.lost > 0 ? 1 : 0
