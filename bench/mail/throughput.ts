/** How fast mail is accepted and arrives behind a contestant, and what processor time each message takes. */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { judgePath } from "../../test/support/installed.ts"
import { DOMAIN, type Contestant } from "./contestants.ts"
import { cpuSeconds } from "./family.ts"
import type { Sink } from "./sink.ts"

export const LOADS = { "a connection for each message": [], "connections reused": ["-d"] } as const
export type Load = keyof typeof LOADS

export type Amount = { readonly messages: number; readonly sessions: number; readonly bytes: number }

export type Measured = {
  readonly who: string
  readonly load: Load
  readonly acceptedPerSecond: number
  readonly relayedPerSecond: number
  readonly cpuMsPerMessage: number
}

/** Ours: a round that has not arrived by then has failed. */
const ARRIVAL_MS_MAX = 120_000

export async function measure(contestant: Contestant, load: Load, amount: Amount, sink: Sink): Promise<Measured> {
  const { messages } = amount
  const before = sink.received()
  const cpuBefore = cpuSeconds(contestant.pid)
  const begun = performance.now()
  await send(contestant, amount, LOADS[load])
  const acceptedMs = performance.now() - begun
  await arrival(sink, before + messages)
  const relayedMs = performance.now() - begun
  await sleep(500) // what is still written down about the last ones belongs to them
  const cpuMs = (cpuSeconds(contestant.pid) - cpuBefore) * 1000
  return {
    who: contestant.name,
    load,
    acceptedPerSecond: messages / (acceptedMs / 1000),
    relayedPerSecond: messages / (relayedMs / 1000),
    cpuMsPerMessage: cpuMs / messages,
  }
}

/** Resolves when all were accepted. */
export async function send(
  { name, port }: Contestant,
  { messages, sessions, bytes }: Amount,
  flags: readonly string[] = [],
): Promise<void> {
  const load = ["-s", sessions, "-l", bytes, "-m", messages, ...flags, "-f", "a@x.test", "-t", `b@${DOMAIN}`]
  const source = spawn(judgePath("smtp-source"), [...load.map(String), `127.0.0.1:${port}`], { stdio: "inherit" })
  const [code] = (await once(source, "exit")) as [number | null]
  if (code !== 0) throw new Error(`smtp-source ended with ${code} against ${name}`)
}

export async function arrival(sink: Sink, count: number): Promise<void> {
  const until = performance.now() + ARRIVAL_MS_MAX
  while (sink.received() < count) {
    if (performance.now() > until) throw new Error(`only ${sink.received()} of ${count} messages arrived`)
    await sleep(5)
  }
}
