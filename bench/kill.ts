/**
 * Kills the relay again and again while twenty senders mail through it, and counts what was promised and did not come. With a
 * box in front of the mail server behind it, one kill in five meets the box. The whole run that is asked for:
 *
 *     npm run kill -- --home box --kills 500 --pause 100 [--compiled] [--minutes 30] [--seed 7] [--json]
 *
 * Ctrl-C, or the end of the minutes, ends the killing: what is under way still arrives, and the figures so far are told.
 * Exit code 1 if a single acknowledged message is lost, or if the run broke.
 */
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { RETRY_FIRST_MS } from "../src/smtp/delivery/back-off.ts"
import { seededDice } from "../test/support/seeded-dice.ts"
import { HOMES, type Home } from "./kill/home.ts"
import { Ledger, type Counts } from "./kill/ledger.ts"
import { linesOf, type Line } from "./kill/lines.ts"
import { sendUntil } from "./kill/sender.ts"
import { programOf } from "./kill/victim.ts"
import { openWorld, type World } from "./kill/world.ts"

const { values: asked } = parseArgs({
  options: {
    kills: { type: "string", default: "50" },
    /** `smtp`: the relay delivers to the server itself. `box`: to a box, which hands it to the server. */
    home: { type: "string", default: "smtp" },
    /** Of the kills with a box, how many meet the box and not the relay. */
    "box-share": { type: "string", default: "0.2" },
    senders: { type: "string", default: "20" },
    /** What each sender waits between messages, in milliseconds; 0 keeps the relay as busy as it can be. */
    pause: { type: "string", default: "0" },
    /** Not longer than so many, whatever is left of the kills. */
    minutes: { type: "string", default: "60" },
    /** Kills what `npm run build` has made, as it is installed, instead of the source: it starts in two thirds of the time. */
    compiled: { type: "boolean", default: false },
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
/** Ours: this long without an arrival and still something missing means that it is lost; what was deferred was tried again by then. */
const PATIENCE_MS = RETRY_FIRST_MS + 60_000

type Plan = {
  readonly home: Home
  readonly kills: number
  readonly boxShare: number
  readonly senders: number
  readonly pauseMs: number
  readonly program: readonly string[]
  readonly seed: number
}
/** `broke`: what ended the run before its figures could be whole. */
type Result = Counts &
  Pick<Plan, "home" | "seed"> & {
    readonly kills: number
    readonly ofTheBox: number
    readonly seconds: number
    readonly broke: string | undefined
    readonly lines: readonly Line[]
  }

async function run(plan: Plan, over: AbortSignal): Promise<Result> {
  const started = performance.now()
  const ledger = new Ledger()
  await using world = await openWorld(plan.home, plan.program, ledger)
  const enough = new AbortController()
  const mailing = Array.from({ length: plan.senders }, () => sendUntil(enough.signal, world.port, ledger, plan.pauseMs))
  const sending = Promise.all(mailing)
  sending.catch(() => {}) // told by whoever waits next
  const killed = { kills: 0, ofTheBox: 0 }
  const progress = () => tell(killed.kills, plan.kills, { counts: ledger.counts, started })
  const broke = await killAll(world, { plan, over, ledger, sending, killed, progress })
    .then(async () => {
      await world.begin()()
      await delay(LIFE_MS_MAX)
      enough.abort()
      await sending
      await arrivals(ledger)
    })
    .then(() => undefined, String)
  enough.abort()
  const { counts } = ledger
  const seconds = Math.round((performance.now() - started) / 1000)
  const { home, seed } = plan
  return { ...counts, ...killed, home, seed, seconds, broke, lines: linesOf(home, killed.kills, counts) }
}

type Killing = {
  readonly plan: Plan
  readonly over: AbortSignal
  readonly ledger: Ledger
  readonly sending: Promise<unknown>
  readonly killed: { kills: number; ofTheBox: number }
  readonly progress: () => void
}

async function killAll(world: World, { plan, over, ledger, sending, killed, progress }: Killing): Promise<void> {
  const dice = seededDice(plan.seed)
  while (killed.kills < plan.kills && !over.aborted) {
    const atWork = world.begin()
    const victim = world.box && dice() < plan.boxShare ? world.box : world.relay
    const early = dice() < 1 / EARLY_ONE_IN
    if (!early) await atWork()
    await Promise.race([sending, delay(dice() * (early ? EARLY_MS_MAX : LIFE_MS_MAX))])
    await victim.kill()
    killed.kills += 1
    if (victim === world.box) {
      killed.ofTheBox += 1
      ledger.boxLife += 1
    }
    progress()
  }
}

/** Resolves when nothing is missing, or when nothing has come for so long that it will not. */
async function arrivals(ledger: Ledger): Promise<void> {
  let missing = ledger.counts.lost
  for (let since = performance.now(); missing > 0 && performance.now() - since < PATIENCE_MS;) {
    await delay(100)
    const now = ledger.counts.lost
    if (now < missing) since = performance.now()
    missing = now
  }
}

type Standing = { readonly counts: Counts; readonly started: number }

function tell(killed: number, kills: number, { counts: { acknowledged, lost, twice }, started }: Standing): void {
  if (!process.stderr.isTTY && killed % 10 !== 0 && killed !== kills) return
  const leftSeconds = Math.round(((performance.now() - started) / killed / 1000) * (kills - killed))
  const line = `kill ${killed}/${kills}: ${acknowledged} acknowledged, ${lost} under way, ${twice} twice, ${leftSeconds} s left`
  process.stderr.write(process.stderr.isTTY ? `\r${line}\u001b[K` : `${line}\n`)
}

function text({ acknowledged, twice, unpromised, home, kills, ofTheBox, seed, seconds, broke, lines }: Result): string {
  return [
    `${kills} kills, ${ofTheBox} of them of the box, in ${seconds} s (home ${home}, seed ${seed})`,
    ...(broke === undefined ? [] : [`the run broke, and what had not come by then counts as lost: ${broke}`]),
    ...lines.map(({ what, asked: line, measured, met }) => `${what}: ${measured} (${line}: ${met ? "met" : "missed"})`),
    `twice: ${twice} of ${acknowledged}`,
    `kept, but its sender was killed off before he heard 250: ${unpromised}`,
  ].join("\n")
}

/** The first Ctrl-C ends the killing, the second everything. */
function interrupted(): AbortSignal {
  const interrupt = new AbortController()
  process.on("SIGINT", () => (interrupt.signal.aborted ? process.exit(130) : interrupt.abort()))
  return interrupt.signal
}

const home = HOMES.find((one) => one === asked.home)
if (!home) throw new Error(`--home is one of ${HOMES.join(", ")}`)
const plan: Plan = {
  home,
  kills: Number(asked.kills),
  boxShare: Number(asked["box-share"]),
  senders: Number(asked.senders),
  pauseMs: Number(asked.pause),
  program: programOf(asked.compiled ? "compiled" : "source"),
  seed: Number(asked.seed),
}
const over = AbortSignal.any([interrupted(), AbortSignal.timeout(Number(asked.minutes) * 60_000)])
const result = await run(plan, over)
if (process.stderr.isTTY) process.stderr.write("\n")
console.log(asked.json ? JSON.stringify(result) : text(result))
process.exitCode = result.lost > 0 || result.broke !== undefined ? 1 : 0
