/** docs/performance.md and its plots, out of one run's figures. */
import { barChart, type Bar, type Group } from "./bars.ts"
import { type Figures, type Measure, MEASURES } from "./figures.ts"
import { helloFor, type HelloKind } from "./hello.ts"
import { linesOf, scaling, type Line } from "./lines.ts"
import type { Machine } from "./machine.ts"
import { serverName } from "./rivals.ts"
import { BULK, CONNECTIONS, IDLE, IDLE_COUNTED, TWO_CORES, type Work } from "./work.ts"

export type Relay = { readonly id: string; readonly name: string }

export type Run = {
  readonly figures: Figures
  /** In the order of the tables; `direct` is none. */
  readonly relays: readonly Relay[]
  readonly machine: Machine
  readonly command: string
  readonly rounds: number
  readonly seconds: number
  readonly warmMs: number
  readonly runMs: number
  readonly day: string
  /** Load averages at the beginning and at the end. */
  readonly load: readonly [number, number]
}

const BASE = "haproxy-best"

export function performancePage(run: Run): string {
  const { figures, machine, relays } = run
  const errors = relays.flatMap(({ id, name }) => (figures.errors(id) > 0 ? [`${name} ${figures.errors(id)}`] : []))
  return `# Performance

Made by \`${run.command}\` on ${run.day}; do not edit. One run, in which all relays are up at the same time and take turns in
a new order with every piece of work and every round: ${run.rounds === 1 ? "1 round" : `${run.rounds} rounds`}, ${run.runMs / 1000} s for each measurement after ${run.warmMs / 1000} s of
warming up, ${Math.round(run.seconds / 60)} minutes in all. Every figure is the median of the rounds; every ratio (×) is the median of the ratios within a
round. Waypost is the whole relay, with TypeScript deciding about every connection, and without its log, because none of
the others writes one.

**Machine:** ${machine.cpu}, ${machine.cores} cores (virtual), ${machine.memoryGb} GB, ${machine.kernel}. ${machine.programs.join(", ")}. Load average ${run.load[0].toFixed(1)} at
the beginning and ${run.load[1].toFixed(1)} at the end; the run itself keeps about two cores busy, so more than that was somebody else.

**Place:** loopback in a network namespace of its own, congestion control reno. A relay has core 0; visitors and services
(\`bench/dataplane/load.c\`) share the last one, and often need more of it than the relay of its own. That is why processor time
comes first here and rates second.

**HAProxy, best** is with \`option splice-request\`, \`splice-response\`, \`tcp-smart-accept\`, \`defer-accept\` and pipes of 1 MB
(\`splice-auto\` does not splice these flows); **HAProxy** is its default.

${errors.length > 0 ? `Connections that failed: ${errors.join(", ")}.` : "No connection failed."}

## What it has to show

Waypost's native engine, unless the line says otherwise. Where a line says only HAProxy, the cheaper of its two
configurations counts.

${table(["figure", "asked", "measured", "met"], linesOf(figures).map(lineRow))}

## Processor time

Of all processes and threads of the relay, as the kernel accounts it (schedstat), the network's work in their name included.
Bulk in seconds per GB (10⁹ bytes, counted once), × the best HAProxy in the same round.

![Processor time per GB](performance/bulk.svg)

${table(
  ["", ...BULK.map(({ name }) => name)],
  relays.map((relay) => costRow(relay, BULK, figures, 3)),
)}

Microseconds for a new connection (connect, ClientHello, 1 KB back, end; ${hello("standard")} bytes of hello, ${hello("post-quantum")} with a
post-quantum key share), and for an exchange of 100 bytes to and fro over 32 open connections.

![Processor time per connection](performance/connections.svg)

${table(
  ["", ...CONNECTIONS.map(({ name }) => name)],
  relays.map((relay) => costRow(relay, CONNECTIONS, figures, 1)),
)}

The first line of both is no relay at all: what the service itself needs. It is the physical limit, not a rival.

## Rates

What visitors got with the relay on one core, while they and the service shared another: GB/s.

${table(
  ["", ...BULK.map(({ name }) => name)],
  relays.map((relay) => plainRow(relay, BULK, MEASURES.rate, figures, 2)),
)}

Connections or exchanges in a second.

${table(
  ["", ...CONNECTIONS.map(({ name }) => name)],
  relays.map((relay) => plainRow(relay, CONNECTIONS, MEASURES.rate, figures, 0)),
)}

## Waiting

p50 / p99 in µs, as visitors saw it: from connect to the end of a new connection, from ping to pong.

${table(
  ["", ...CONNECTIONS.map(({ name }) => name)],
  relays.map((relay) => waitRow(relay, figures)),
)}

## Memory

Proportional set size of the processes of a relay that has carried a second of short connections: what ${IDLE_COUNTED} idle connections add to the first ${IDLE.connections - IDLE_COUNTED}, for each of
them (those made heaps grow that serve all). An idle connection has said its hello and heard one byte back. What the kernel keeps for it (two sockets, two
descriptors) is the same for every relay and not in it.

![Memory of an idle connection](performance/memory.svg)

${table(
  ["", "bytes per idle connection", "MB with none"],
  relays.filter(({ id }) => id !== "direct").map((relay) => memoryRow(relay, figures)),
)}

## Two cores

${table(
  ["", ...CORES_HEAD],
  TWO_CORES.flatMap((work) => coreRows(work, figures)),
)}

The engine runs a thread for each core, each with its own listening socket, epoll set and connections; they share nothing
but the batches to and from TypeScript. ${coresRemark(machine)} So the table gives CPU
time for one connection or GB, where visitors may use every core as well: of one relay with one thread; of two relays with
one thread, each on a core of its own, which share nothing but the machine; and of one relay with two threads. What follows
is the work of two threads in each second of CPU time against one relay alone, whose visitors have a core to themselves,
and against one of the two, where both cores are as busy: twice as much if that they are together costs nothing. The first
holds what two busy cores cost any relay on this machine; the second is what the threads cost each other.
`
}

/** File names under docs/performance, and their contents. */
export function performancePlots({ figures, relays }: Run): ReadonlyMap<string, string> {
  const rivals = relays.filter(({ id }) => id !== "direct")
  const groups = (works: readonly Work[], unit: string, digits: number): readonly Group[] =>
    works.map((work) => ({
      name: work.name,
      bars: rivals.flatMap((relay) => bar(relay, figures.of(work, relay.id), unit, digits)),
    }))
  const memory = rivals.flatMap((relay) => bar(relay, scaled(figures.of(IDLE, relay.id), 1 / 1000), "kB", 2))
  return new Map([
    ["bulk.svg", barChart({ title: "Processor time per GB (less is better)", groups: groups(BULK, "s", 3) })],
    [
      "connections.svg",
      barChart({
        title: "Processor time per connection or exchange (less is better)",
        groups: groups(CONNECTIONS, "µs", 1),
      }),
    ],
    [
      "memory.svg",
      barChart({ title: "Memory of an idle connection (less is better)", groups: [{ name: "", bars: memory }] }),
    ],
  ])
}

function hello(kind: HelloKind): string {
  return number(helloFor(serverName("new"), kind).length, 0)
}

function bar({ id, name }: Relay, value: number | undefined, unit: string, digits: number): readonly Bar[] {
  if (value === undefined) return []
  return [
    { label: name, value, text: `${value.toFixed(digits)} ${unit}`, ours: id === "native" || id === "javascript" },
  ]
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map((_, index) => (index === 0 ? "---" : "--:")), ...rows]
    .map((cells) => `| ${cells.join(" | ")} |`)
    .join("\n")
}

function lineRow({ what, asked, got, unit, met, note }: Line): readonly string[] {
  const measured = got === undefined ? "not measured" : `${got.toFixed(2)} ${unit}`
  return [what, asked, note ? `${measured} (${note})` : measured, met ? "yes" : "**no**"]
}

function costRow(relay: Relay, works: readonly Work[], figures: Figures, digits: number): readonly string[] {
  return [
    relay.name,
    ...works.map((work) => {
      const cost = number(figures.of(work, relay.id), digits)
      const ratio = relay.id === "direct" ? undefined : figures.ratio(work, relay.id, BASE)
      return ratio === undefined ? cost : `${cost} (${ratio.toFixed(2)} ×)`
    }),
  ]
}

function plainRow(
  relay: Relay,
  works: readonly Work[],
  measure: Measure,
  figures: Figures,
  digits: number,
): readonly string[] {
  return [relay.name, ...works.map((work) => number(figures.of(work, relay.id, measure), digits))]
}

function waitRow(relay: Relay, figures: Figures): readonly string[] {
  const wait = (work: Work, measure: Measure) => number(figures.of(work, relay.id, measure), 0)
  return [relay.name, ...CONNECTIONS.map((work) => `${wait(work, MEASURES.p50)} / ${wait(work, MEASURES.p99)}`)]
}

function memoryRow(relay: Relay, figures: Figures): readonly string[] {
  const base = scaled(figures.of(IDLE, relay.id, MEASURES.base), 1e-6)
  return [relay.name, number(figures.of(IDLE, relay.id), 0), number(base, 1)]
}

const CORES_HEAD = ["one relay, one core", "two relays", "two threads", "against one alone", "against one of two"]

function coreRows(work: Work, figures: Figures): readonly (readonly string[])[] {
  const relays = [
    { id: "native", name: "Waypost, native" },
    { id: BASE, name: "HAProxy, best" },
  ]
  const [digits, unit] = work.service === "new" ? [1, "µs"] : [3, "s/GB"]
  const cost = (id: string): string => `${number(figures.of(work, id), digits)} ${unit}`
  const times = (id: string, one: "alone" | "apart"): string => {
    const scales = scaling(work, id, one, figures)
    return scales === undefined ? "–" : `${scales.toFixed(2)} ×`
  }
  return relays.map(({ id, name }) => {
    const costs = [cost(id), cost(`${id}-apart`), cost(`${id}-2`)]
    return [`${work.name}: ${name}`, ...costs, times(id, "alone"), times(id, "apart")]
  })
}

function coresRemark({ cores }: Machine): string {
  return cores < 4
    ? `A rate with two cores against one cannot be\nmeasured here: with ${cores} cores, visitors and services need one of them themselves.`
    : "Visitors and services have cores of their own here."
}

function number(value: number | undefined, digits: number): string {
  return value === undefined
    ? "–"
    : value.toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

function scaled(value: number | undefined, factor: number): number | undefined {
  return value === undefined ? undefined : value * factor
}
