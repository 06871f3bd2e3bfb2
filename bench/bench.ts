/**
 * `npm run bench`: how much processor time and memory it costs to carry bytes and connections, for Waypost's engines and
 * for the relays that people use for this today. Everything is up at the same time, and each round runs every piece of
 * work through every relay in turn, in a new order; what counts is the ratio within a round, for which the machine need
 * not be idle. Writes docs/performance.md and its plots, unless it is asked for less than all of it:
 *
 *     npm run bench -- [--rounds 4] [--quick] [--only native,haproxy-best] [--work down8,new] [--json]
 *
 * `--quick`: one round, short and coarse. `--json`: every run and every line, instead of the page. Progress on stderr.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { Arena, type Contender, type Timing } from "./dataplane/arena.ts"
import { Figures } from "./dataplane/figures.ts"
import { linesOf } from "./dataplane/lines.ts"
import { load, machine } from "./dataplane/machine.ts"
import { enterNamespace } from "./dataplane/namespace.ts"
import { performancePage, performancePlots, type Run } from "./dataplane/page.ts"
import { rivals, type Rival } from "./dataplane/rivals.ts"
import { BULK, CONNECTIONS, IDLE, TWO_CORES, type Measured, type Work } from "./dataplane/work.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string" },
    only: { type: "string" },
    work: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "boolean", default: false },
  },
})
enterNamespace()
const DOCS = join(import.meta.dirname, "..", "docs")
/** Who is compared on one core and on two. */
const ON_TWO_CORES = ["native", "haproxy-best"]
/** Each with a relay started for it. */
const IDLE_ROUNDS = 3
const SHORT_WARM_MS = 700
const WARM_MS = values.quick ? SHORT_WARM_MS : 3000
const timing: Timing = values.quick ? { warmMs: 200, runMs: 400 } : { warmMs: 300, runMs: 1200 }
const rounds = Number(values.rounds ?? (values.quick ? 1 : 4))
const asked = rivals.filter(({ id }) => values.only?.split(",").includes(id) ?? true)
const begun = performance.now()
const loadBefore = load()
const measured: Measured[] = []

await using arena = new Arena(availableParallelism())
await arena.open()
await inTurns()
await idle(values.quick ? 1 : IDLE_ROUNDS)
await onTwoCores()
publish(new Figures(measured))

async function inTurns(): Promise<void> {
  const works = wanted([...BULK, ...CONNECTIONS])
  if (works.length === 0) return
  const contenders = [arena.direct, ...(await startAll(asked))]
  for (let round = 0; round < rounds; round++) {
    for (const work of works) {
      progress(`round ${round + 1} of ${rounds}: ${work.id}`)
      for (const contender of shuffled(contenders)) take(round, work, contender)
    }
  }
  for (const contender of contenders) await contender.stop()
}

/** Of a relay that has done little yet: what one has freed it might use again without asking for more. */
async function idle(times: number): Promise<void> {
  for (let round = 0; round < times; round++) {
    for (const work of wanted([IDLE])) {
      for (const rival of shuffled(asked)) {
        progress(`idle connections, round ${round + 1} of ${times}: ${rival.name}`)
        const [contender] = await startAll([rival], 1, SHORT_WARM_MS)
        if (contender) take(round, work, contender)
        await contender?.stop()
      }
    }
  }
}

async function onTwoCores(): Promise<void> {
  const works = wanted(TWO_CORES)
  if (works.length === 0 || availableParallelism() < 2) return
  const both = asked.filter(({ id }) => ON_TWO_CORES.includes(id))
  const contenders = [...(await startAll(both)), ...(await startAll(both, 2)), ...(await apart(both))]
  for (let round = 0; round < rounds; round++) {
    for (const work of works) {
      progress(`two cores, round ${round + 1} of ${rounds}: ${work.id}`)
      for (const contender of shuffled(contenders)) take(round, work, contender, true)
    }
  }
  for (const contender of contenders) await contender.stop()
}

async function startAll(all: readonly Rival[], cores = 1, warmMs = WARM_MS): Promise<readonly Contender[]> {
  const contenders: Contender[] = []
  for (const rival of all) contenders.push(await arena.start(rival, cores))
  return warmed(contenders, warmMs)
}

async function apart(all: readonly Rival[]): Promise<readonly Contender[]> {
  const contenders: Contender[] = []
  for (const rival of all) contenders.push(await arena.startApart(rival, 2))
  return warmed(contenders, WARM_MS)
}

/** Programs that compile as they run are measured when they have done so. */
function warmed(contenders: readonly Contender[], warmMs: number): readonly Contender[] {
  for (const contender of contenders) {
    for (const [service, runMs] of [
      ["down", SHORT_WARM_MS],
      ["new", warmMs],
    ] as const) {
      arena.run({ id: "warm-up", name: "", service, connections: 8 }, contender, { warmMs: 0, runMs })
    }
  }
  return contenders
}

function take(round: number, work: Work, contender: Contender, everywhere = false): void {
  const sample = arena.run(work, contender, timing, everywhere)
  measured.push({ round, work: work.id, relay: contender.id, sample })
}

function wanted(works: readonly Work[]): readonly Work[] {
  return works.filter(({ id }) => values.work?.split(",").includes(id) ?? true)
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  return items
    .map((item) => ({ item, by: Math.random() }))
    .toSorted((a, b) => a.by - b.by)
    .map(({ item }) => item)
}

function publish(figures: Figures): void {
  if (values.json) return console.log(JSON.stringify({ machine: machine(), lines: linesOf(figures), measured }))
  const run: Run = {
    figures,
    relays: [arena.direct, ...asked],
    machine: machine(),
    command: ["npm run bench", ...(values.rounds ? [`-- --rounds ${rounds}`] : [])].join(" "),
    rounds,
    seconds: (performance.now() - begun) / 1000,
    ...timing,
    day: new Date().toISOString().slice(0, 10),
    load: [loadBefore, load()],
  }
  const page = performancePage(run)
  console.log(page)
  if (values.quick || values.only !== undefined || values.work !== undefined) return
  writeFileSync(join(DOCS, "performance.md"), page)
  mkdirSync(join(DOCS, "performance"), { recursive: true })
  for (const [name, plot] of performancePlots(run)) writeFileSync(join(DOCS, "performance", name), plot)
}

function progress(what: string): void {
  const seconds = Math.round((performance.now() - begun) / 1000)
  console.error(`${String(seconds).padStart(4)} s  ${what}`)
}
