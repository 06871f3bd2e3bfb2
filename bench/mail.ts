/**
 * Mail accepted and passed on, Waypost in both of its ways against Debian's Postfix, in one run and in turns: messages per
 * second until the last 250 and until the last arrival behind the relay, processor time for each message; then memory for
 * one large message and for idle sessions. Prints every line that was asked of it. Programs that run for months are
 * measured, so everybody carries some thousand messages before the first round; V8 is still compiling until then.
 *
 *     npm run bench:mail -- [--messages 3000] [--rounds 3] [--sessions 20] [--bytes 10240] [--json]
 *
 * Rates depend on what else the machine does, processor time on what its host does: the yardstick before each round and at the end
 * says how fast the machine was. The ratios in one round depend on neither much.
 */
import { cpus } from "node:os"
import { parseArgs } from "node:util"
import { KEEPS, PASSES, POSTFIX, startPostfixMx, startWaypostMx, type Contestant } from "./mail/contestants.ts"
import { linesOf, type Row } from "./mail/lines.ts"
import { idleSessionBytes, largeMailBytes } from "./mail/memory.ts"
import { startSink, type Sink } from "./mail/sink.ts"
import { LOADS, measure, type Load, type Measured } from "./mail/throughput.ts"
import { yardstickMs } from "./yardstick.ts"

const { values } = parseArgs({
  options: {
    messages: { type: "string", default: "3000" },
    rounds: { type: "string", default: "3" },
    sessions: { type: "string", default: "20" },
    bytes: { type: "string", default: "10240" },
    json: { type: "boolean", default: false },
  },
})
const amount = { messages: Number(values.messages), sessions: Number(values.sessions), bytes: Number(values.bytes) }
const rounds = Number(values.rounds)

/**
 * Ours: of each load, before the rounds. By then V8 has compiled what runs for every message: its own threads took 0.08 to 0.3 ms
 * for each of the first 12,000, and 0.03 to 0.08 ms for most of those after 16,000.
 */
const WARM_UP_MESSAGES = 8_000

const sink = await startSink()
const contestants = [
  await startWaypostMx(sink.port, KEEPS),
  await startWaypostMx(sink.port, PASSES),
  await startPostfixMx(sink.port),
]
const all: Measured[] = []
const yardsticksMs: number[] = []
const memory: { who: string; largeMailBytes: number; idleSessionBytes: number | undefined }[] = []
try {
  for (const contestant of contestants) memory.push(await weigh(contestant, sink))
  for (const contestant of contestants) await warmUp(contestant)
  for (let round = 1; round <= rounds; round++) await run(round)
  yardsticksMs.push(yardstickMs())
} finally {
  await Promise.all(contestants.map((contestant) => contestant.stop()))
  await sink.stop()
}

/** An idle session of Postfix is a process, of which it has a hundred here. */
async function weigh(contestant: Contestant, at: Sink): Promise<(typeof memory)[number]> {
  tell(`memory: ${contestant.name}`)
  const idle = contestant.name === POSTFIX ? undefined : await idleSessionBytes(contestant, at)
  const large = await largeMailBytes(contestant, at)
  return { who: contestant.name, largeMailBytes: Math.round(large), idleSessionBytes: idle && Math.round(idle) }
}

async function warmUp(contestant: Contestant): Promise<void> {
  tell(`warm-up: ${contestant.name}`)
  for (const load of Object.keys(LOADS) as Load[])
    await measure(contestant, load, { ...amount, messages: WARM_UP_MESSAGES }, sink)
}

async function run(round: number): Promise<void> {
  yardsticksMs.push(yardstickMs())
  for (const load of Object.keys(LOADS) as Load[]) {
    for (const contestant of round % 2 === 1 ? contestants : contestants.toReversed()) {
      tell(`round ${round} of ${rounds}: ${contestant.name}, ${load}`)
      all.push(await measure(contestant, load, amount, sink))
    }
  }
}

function tell(line: string): void {
  if (!values.json) process.stderr.write(`${line}\n`)
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? 0
}

const rows: Row[] = (Object.keys(LOADS) as Load[]).flatMap((load) =>
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
const lines = [KEEPS, PASSES].flatMap((who) =>
  linesOf(
    who,
    rows,
    memory.find((one) => one.who === who),
  ),
)
if (values.json)
  console.log(
    JSON.stringify({ ...amount, rounds, cores: cpus().length, yardsticksMs, rows, memory, lines }, undefined, 2),
  )
else {
  console.table(rows)
  console.table(memory)
  console.table(lines)
  console.log(`yardstick, before each round and at the end: ${yardsticksMs.join(", ")} ms`)
}
