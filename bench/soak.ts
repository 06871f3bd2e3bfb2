/**
 * `npm run soak`: a relay in a process of its own, under visitors who send, finish, stall, drip, say nothing and reset,
 * in an order that follows from a seed, while its configuration is reloaded. Every byte is compared on both sides; in the
 * end descriptors and memory must be back to where they began. Both engines, one after the other, unless one is named.
 *
 *   npm run soak -- [--minutes 10] [--engine native|javascript] [--visitors 60] [--threads 2] [--seed 1] [--json]
 */
import { parseArgs } from "node:util"
import type { Engine } from "../src/net/engine.ts"
import { soak, type Soaked } from "./soak/soak.ts"
import type { Used } from "./soak/soaked-relay.ts"

const FAULTS_SHOWN_MAX = 20

const { values: asked } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    engine: { type: "string" },
    visitors: { type: "string", default: "60" },
    threads: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
    json: { type: "boolean", default: false },
  },
})

const engines = (["native", "javascript"] as const).filter(
  (kind) => asked.engine === undefined || asked.engine === kind,
)
const results: Soaked[] = []
for (const engine of engines) results.push(await soakOne(engine))
if (asked.json) console.log(JSON.stringify(results))
const clean = results.length > 0 && results.every(({ faults }) => faults.length === 0)
process.exitCode = clean ? 0 : 1

async function soakOne(engine: Engine["kind"]): Promise<Soaked> {
  const [visitors, threads, seed] = [Number(asked.visitors), Number(asked.threads), Number(asked.seed)]
  const soaked = await soak({ engine, seconds: Number(asked.minutes) * 60, visitors, threads, seed })
  if (!asked.json) console.log(summary(soaked))
  return soaked
}

function summary({ engine, seconds, visits, bytes, reloads, fresh, warm, last, scheduled, faults }: Soaked): string {
  const counts = Object.entries(visits)
  const all = counts.reduce((sum, [, count]) => sum + count, 0)
  return [
    `${engine}: ${all} visits (${counts.map(([manner, count]) => `${count} ${manner}`).join(", ")})`,
    `  ${(bytes / 1e9).toFixed(1)} GB down to visitors and compared, ${reloads} reloads, ${seconds} s`,
    `  at rest: ${text(fresh)}; when warm: ${text(warm)}; in the end: ${text(last)}`,
    `  the relay ran for ${inSeconds(scheduled.ranMs)} and waited for a CPU for ${inSeconds(scheduled.waitedMs)}, all threads together`,
    ...faults.slice(0, FAULTS_SHOWN_MAX).map(({ seed, what }) => `  FAULT (seed ${seed}) ${what}`),
    faults.length === 0 ? "  every byte right, everything given back" : `  ${faults.length} faults`,
  ].join("\n")
}

function inSeconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`
}

function text({ sockets, otherDescriptors, rssBytes }: Used): string {
  return `${sockets} sockets, ${otherDescriptors} other descriptors, ${(rssBytes / 1024 / 1024).toFixed(0)} MB`
}
