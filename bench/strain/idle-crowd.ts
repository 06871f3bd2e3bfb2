/** 2,000 visitors who say nothing or drip: what it costs the others, and whether all are gone at their deadline. */
import { once } from "node:events"
import { join } from "node:path"
import { Worker } from "node:worker_threads"
import type { Engine } from "../../src/net/engine.ts"
import { backend, echo } from "../../test/support/backend.ts"
import { relayInChild } from "../../test/support/relay-in-child.ts"
import { exchange } from "./exchange.ts"
import { quantile, scheduled, since, type Scheduled } from "./figures.ts"

const IDLERS = 2_000
const DEADLINE_MS = 3_000
const PAUSE_MS = 5

export type IdleCrowd = {
  readonly exchanges: number
  /** Through the relay, while the crowd comes, stays and is sent away. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** Straight to the service, by turns with those: what of it is this machine's doing. */
  readonly directP99Ms: number
  /** From the moment when all were inside until the last one was gone. */
  readonly goneAfterMs: number
  readonly relay: Scheduled
}

export async function idleCrowd(engine: Engine["kind"]): Promise<IdleCrowd> {
  const home = await backend(echo)
  await using relay = await relayInChild({ engine, backend: home.at, decideDeadlineMs: DEADLINE_MS })
  const before = scheduled(relay.child.pid ?? 0)
  const idlers = new Worker(join(import.meta.dirname, "idlers.ts"), {
    workerData: { port: relay.bound.port, count: IDLERS },
  })
  const ended = once(idlers, "exit")
  let insideAt = NaN
  let goneAt = NaN
  idlers.on("message", (what: "inside" | "gone") => {
    if (what === "inside") insideAt = performance.now()
    else goneAt = performance.now()
  })
  const [through, direct]: [number[], number[]] = [[], []]
  while (Number.isNaN(goneAt)) {
    through.push((await exchange(relay.bound)) ?? Infinity)
    direct.push((await exchange(home.at)) ?? Infinity)
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))
  }
  const used = since(before, scheduled(relay.child.pid ?? 0))
  await ended
  await home.close()
  const [p50Ms, p99Ms, directP99Ms] = [quantile(through, 0.5), quantile(through, 0.99), quantile(direct, 0.99)]
  return { exchanges: through.length, p50Ms, p99Ms, directP99Ms, goneAfterMs: goneAt - insideAt, relay: used }
}
