/**
 * `npm run bench`: how much processor time and memory it costs to carry bytes and connections, for Waypost's engines and
 * for the relays that people use for this today. Everything is up at the same time, and each round runs every piece of
 * work through every relay in turn, in a new order; what counts is the ratio within a round, for which the machine need
 * not be idle. `--quick`: short and coarse. `--rounds 4`, `--only native,haproxy-best`, `--work down8,new`, `--json FILE`.
 */
import { writeFileSync } from "node:fs"
import { availableParallelism } from "node:os"
import { parseArgs } from "node:util"
import { Arena, type Contender, type Sample, type Timing, type Work } from "./dataplane/arena.ts"
import { enterNamespace } from "./dataplane/namespace.ts"
import { rivals } from "./dataplane/rivals.ts"

const WORK: readonly Work[] = [
  { id: "down1", service: "down", connections: 1 },
  { id: "down8", service: "down", connections: 8 },
  { id: "down64", service: "down", connections: 64 },
  { id: "up1", service: "up", connections: 1 },
  { id: "up8", service: "up", connections: 8 },
  { id: "up64", service: "up", connections: 64 },
  { id: "new", service: "new", connections: 32 },
  { id: "new-pq", service: "new", connections: 32, hello: "post-quantum" },
  { id: "pong32", service: "pong", connections: 32 },
  { id: "idle", service: "idle", connections: 5000 },
]

export type Measured = {
  readonly round: number
  readonly work: string
  readonly relay: string
  readonly sample: Sample
}

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "4" },
    only: { type: "string" },
    work: { type: "string" },
    quick: { type: "boolean", default: false },
    json: { type: "string" },
  },
})
enterNamespace()
const timing: Timing = values.quick ? { warmMs: 200, runMs: 400 } : { warmMs: 400, runMs: 1500 }
const works = WORK.filter(({ id }) => values.work?.split(",").includes(id) ?? true)
const asked = rivals.filter(({ id }) => values.only?.split(",").includes(id) ?? true)
const rounds = Number(values.rounds)

await using arena = new Arena(1, availableParallelism())
await arena.open()
const contenders: Contender[] = [arena.direct]
for (const rival of asked) contenders.push(await arena.start(rival))
warmUp(contenders)
const measured: Measured[] = []
for (let round = 0; round < rounds; round++) {
  for (const work of works) {
    for (const contender of shuffled(contenders)) {
      const sample = arena.run(work, contender, timing)
      measured.push({ round, work: work.id, relay: contender.id, sample })
    }
  }
}
if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(measured))
print(measured)

/** Programs that compile as they run are measured when they have done so. */
function warmUp(all: readonly Contender[]): void {
  for (const contender of all) {
    for (const service of ["down", "new"] as const) {
      arena.run({ id: "warm-up", service, connections: 8 }, contender, { warmMs: 0, runMs: 700 })
    }
  }
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  return items
    .map((item) => ({ item, by: Math.random() }))
    .toSorted((a, b) => a.by - b.by)
    .map(({ item }) => item)
}

function print(all: readonly Measured[]): void {
  for (const work of works) {
    console.log(`\n## ${work.id}`)
    for (const { id, name } of contenders) {
      const runs = all.filter((each) => each.work === work.id && each.relay === id)
      const cost = runs.map(({ sample }) => costOf(work, sample))
      const base = (round: number): number => {
        const found = all.find((each) => each.work === work.id && each.relay === "haproxy-best" && each.round === round)
        return found ? costOf(work, found.sample) : NaN
      }
      const ratio = median(runs.map(({ round, sample }) => costOf(work, sample) / base(round)))
      const rate = median(
        runs.map(({ sample }) => (sample.gigabytes > 0.2 ? sample.gigabytes : sample.done) / sample.seconds),
      )
      const p99 = median(runs.map(({ sample }) => sample.p99Us))
      const errors = runs.reduce((sum, { sample }) => sum + sample.errors, 0)
      console.log(
        `${name.padEnd(22)} cost ${median(cost).toFixed(4).padStart(9)}  x${ratio.toFixed(2)}  rate ${rate.toFixed(2).padStart(10)}  p99 ${p99.toFixed(0).padStart(6)}  errors ${errors}`,
      )
    }
  }
}

function costOf(work: Work, sample: Sample): number {
  const bulk = work.service === "down" || work.service === "up"
  return bulk ? sample.cpuSeconds / sample.gigabytes : (sample.cpuSeconds / sample.done) * 1e6
}

function median(values_: readonly number[]): number {
  const sorted = values_.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? NaN
}
