/**
 * Mail accepted and passed on, Waypost against Debian's Postfix, both durable, in one run and in turns: messages per
 * second until the last 250 and until the last arrival behind the relay, and processor time for each message.
 *
 *     npm run bench:mail -- [--messages 3000] [--rounds 3] [--sessions 20] [--bytes 10240] [--json]
 *
 * Rates depend on what else the machine does; processor time and the ratios in one round much less.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { cpus } from "node:os"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { judgePath } from "../test/support/installed.ts"
import { DOMAIN, startPostfixMx, startWaypostMx, type Contestant } from "./mail/contestants.ts"
import { cpuSeconds } from "./mail/cpu.ts"
import { startSink, type Sink } from "./mail/sink.ts"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "3000" },
    rounds: { type: "string", default: "3" },
    sessions: { type: "string", default: "20" },
    bytes: { type: "string", default: "10240" },
    json: { type: "boolean", default: false },
  },
})
const [messages, rounds, sessions, bytes] = [values.messages, values.rounds, values.sessions, values.bytes].map(
  Number,
) as [number, number, number, number]

const LOADS = { "a connection for each message": [], "connections reused": ["-d"] } as const
type Load = keyof typeof LOADS

type Measured = {
  readonly who: string
  readonly load: Load
  readonly acceptedPerSecond: number
  readonly relayedPerSecond: number
  readonly cpuMsPerMessage: number
}

/** Ours: a round that has not arrived by then has failed. */
const ARRIVAL_MS_MAX = 120_000

async function measure(contestant: Contestant, load: Load, sink: Sink): Promise<Measured> {
  const before = sink.received()
  const cpuBefore = cpuSeconds(contestant.pid)
  const begun = performance.now()
  const flags = ["-s", sessions, "-l", bytes, "-m", messages, ...LOADS[load], "-f", "a@x.test", "-t", `b@${DOMAIN}`]
  const source = spawn(judgePath("smtp-source"), [...flags.map(String), `127.0.0.1:${contestant.port}`], {
    stdio: "inherit",
  })
  const [code] = (await once(source, "exit")) as [number | null]
  if (code !== 0) throw new Error(`smtp-source ended with ${code} against ${contestant.name}`)
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

async function arrival(sink: Sink, count: number): Promise<void> {
  const until = performance.now() + ARRIVAL_MS_MAX
  while (sink.received() < count) {
    if (performance.now() > until) throw new Error(`only ${sink.received()} of ${count} messages arrived`)
    await sleep(5)
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const sink = await startSink()
const contestants = [await startWaypostMx(sink.port), await startPostfixMx(sink.port)]
const all: Measured[] = []
try {
  for (let round = 1; round <= rounds; round++) {
    for (const load of Object.keys(LOADS) as Load[]) {
      for (const contestant of round % 2 === 1 ? contestants : contestants.toReversed()) {
        if (!values.json) process.stderr.write(`round ${round} of ${rounds}: ${contestant.name}, ${load}\n`)
        all.push(await measure(contestant, load, sink))
      }
    }
  }
} finally {
  await Promise.all(contestants.map((contestant) => contestant.stop()))
  await sink.stop()
}

const rows = (Object.keys(LOADS) as Load[]).flatMap((load) =>
  contestants.map(({ name }) => {
    const own = all.filter((one) => one.load === load && one.who === name)
    return {
      load,
      who: name,
      acceptedPerSecond: Math.round(median(own.map((one) => one.acceptedPerSecond))),
      relayedPerSecond: Math.round(median(own.map((one) => one.relayedPerSecond))),
      cpuMsPerMessage: Number(median(own.map((one) => one.cpuMsPerMessage)).toFixed(2)),
    }
  }),
)
if (values.json)
  console.log(JSON.stringify({ messages, rounds, sessions, bytes, cores: cpus().length, rows }, undefined, 2))
else console.table(rows)
