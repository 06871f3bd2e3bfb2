/**
 * `npm run strain`: what a relay does when it has no descriptors left, and under visitors who only hold a place. For each
 * engine: 256 descriptors and 1,000 clients; 2,000 who say nothing or drip. Prints figures and judges none: how busy the
 * machine was stands beside them.
 *
 *   npm run strain -- [--engine native|javascript] [--json]
 */
import { loadavg } from "node:os"
import { parseArgs } from "node:util"
import { crowdedOut, type CrowdedOut } from "./strain/crowded-out.ts"
import { idleCrowd, type IdleCrowd } from "./strain/idle-crowd.ts"

const { values: asked } = parseArgs({
  options: { engine: { type: "string" }, json: { type: "boolean", default: false } },
})
for (const engine of ["native", "javascript"] as const) {
  if (asked.engine !== undefined && asked.engine !== engine) continue
  const load = loadavg()[0]
  const [full, idle] = [await crowdedOut(engine), await idleCrowd(engine)]
  if (asked.json) console.log(JSON.stringify({ engine, load, full, idle }))
  else console.log([`${engine} (load ${load?.toFixed(1)})`, textOfFull(full), textOfIdle(idle)].join("\n"))
}

function textOfFull(figures: CrowdedOut): string {
  const { held, waiting, sentAway, rateBefore, rateAfter, fullRateAfterMs } = figures
  return `  256 descriptors, 1,000 clients: ${held} held, ${waiting} wait, ${sentAway} sent away; ${rateBefore} exchanges/s before,
    ${rateAfter} after they left, full rate ${fullRateAfterMs} ms after it`
}

function textOfIdle({ exchanges, p50Ms, p99Ms, directP99Ms, goneAfterMs, relay }: IdleCrowd): string {
  const [p50, p99, direct] = [p50Ms, p99Ms, directP99Ms].map((value) => value.toFixed(1))
  return `  2,000 silent or dripping: others p50 ${p50} ms, p99 ${p99} ms (straight to the service ${direct} ms) of ${exchanges};
    all gone ${goneAfterMs.toFixed(0)} ms after the last came in; the relay ran for ${relay.ranMs.toFixed(0)} ms and waited for a CPU for ${relay.waitedMs.toFixed(0)} ms`
}
