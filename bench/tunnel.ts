/**
 * `npm run bench:tunnel`: what it costs to carry visitors to a box at home, beside the programs that people use for it. All
 * of them are up at the same time, in one network namespace, and each round gives every piece of work to every one in
 * turn; what counts are ratios within a round, because the machine need not be idle.
 *
 *     npm run bench:tunnel -- [--rounds 3] [--only plain,row,carriers,streams,ssh,pagekite] [--json]
 *
 * "row" is no rival: two plain relays in a row are what the cores of this machine allow whatever passes relay and box.
 * Processor time is of the relay and of the program at home together, as the kernel accounts it.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from "node:child_process"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { helloFor } from "./dataplane/hello.ts"
import { load, machine } from "./dataplane/machine.ts"
import { enterNamespace } from "./dataplane/namespace.ts"
import { serverName, SERVICES, type Service } from "./dataplane/rivals.ts"
import { rateOf, type Sample } from "./dataplane/work.ts"
import { ceiling, type Ceiling } from "./tunnel/ceiling.ts"
import { PORTS_EACH, start, WEB_NAME, type Contender, type ContenderName } from "./tunnel/contenders.ts"
import { measureWeb, webServer, type WebFigures } from "./tunnel/web.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "3" },
    only: { type: "string" },
    json: { type: "boolean", default: false },
  },
})
enterNamespace()

const ALL: readonly ContenderName[] = ["plain", "row", "carriers", "streams", "ssh", "pagekite"]
const SERVICES_PORT = 7100
const FIRST_PORT = 7200
const WARM_MS = 500
const RUN_MS = 2_000
/** Issue 6: idle connections whose memory is asked of each side. */
const IDLE_CONNECTIONS = 1_000
/** No visitor of theirs is idle: another protocol, no relay, or two of one that is there already. */
const NO_IDLE: ReadonlySet<string> = new Set(["pagekite", "direct", "row"])
const LOAD_PATIENCE_MS = 60_000

type Work = { readonly id: string; readonly service: Service; readonly connections: number }
const WORKS: readonly Work[] = [
  { id: "1 flow, download", service: "down", connections: 1 },
  { id: "8 flows, download", service: "down", connections: 8 },
  { id: "8 flows, upload", service: "up", connections: 8 },
  { id: "new connections", service: "new", connections: 16 },
  { id: "exchanges, one at a time", service: "pong", connections: 1 },
]
const WEB_PORT = 7150
const web: { readonly contender: string; readonly figures: WebFigures }[] = []
type Measured = { readonly round: number; readonly work: string; readonly contender: string; readonly sample: Sample }

let most: Ceiling | undefined

const folder = mkdtempSync(join(tmpdir(), "waypost-bench-tunnel-"))
const started: ChildProcess[] = []
const measured: Measured[] = []
const failures: string[] = []
const loadBefore = load()
try {
  await measure()
} finally {
  for (const child of started.toReversed()) child.kill("SIGTERM")
  await delay(500)
  for (const child of started) if (child.exitCode === null && child.signalCode === null) child.kill("SIGKILL")
  rmSync(folder, { recursive: true, force: true })
}
report()

async function measure(): Promise<void> {
  execFileSync("cc", ["-std=gnu11", "-O2", "-o", at("load"), join(import.meta.dirname, "dataplane/load.c")])
  const services = spawn(at("load"), ["serve", String(SERVICES_PORT)], { stdio: ["ignore", "ignore", "inherit"] })
  started.push(services)
  const direct = {
    name: "direct",
    portFor: (service: number) => SERVICES_PORT + service,
    relay: services,
    home: undefined,
    webPort: undefined,
  }
  const contenders: (Contender | typeof direct)[] = [direct]
  const wanted = ALL.filter((name) => values.only?.split(",").includes(name) ?? true)
  for (const [index, name] of wanted.entries()) {
    progress(`starting ${name}`)
    const place = {
      folder,
      servicesPort: SERVICES_PORT,
      webPort: WEB_PORT,
      firstPort: FIRST_PORT + PORTS_EACH * index,
      started,
    }
    contenders.push(await start(name, place))
  }
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const work of WORKS) {
      for (const contender of contenders.filter(({ name }) => name !== "pagekite")) {
        progress(`round ${round + 1}: ${work.id} through ${contender.name}`)
        const pids = [contender.relay, ...(contender.home ? [contender.home] : [])].flatMap(({ pid }) => tree(pid ?? 0))
        take(round, work, contender, pids)
      }
    }
  }
  for (const contender of contenders) idle(contender)
  progress("HTTP/2 of Node by itself")
  most = await ceiling(at("ceiling"))
  const server = await webServer(WEB_PORT)
  for (const { name, webPort } of contenders) {
    if (webPort === undefined || name === "carriers") continue // what is no TLS from the first byte rides streams
    progress(`a web server through ${name}`)
    web.push({ contender: name, figures: await measureWeb(webPort, WEB_NAME) })
  }
  server.close()
  server.closeAllConnections()
}

/** On each side by itself. */
function idle(
  contender:
    | Contender
    | {
        readonly name: string
        readonly relay: ChildProcess
        readonly home: undefined
        readonly portFor: (service: number) => number
      },
): void {
  const work = { service: "idle", connections: IDLE_CONNECTIONS } as const
  for (const [side, child] of [
    ["relay", contender.relay],
    ["box", contender.home],
  ] as const) {
    if (!child || NO_IDLE.has(contender.name)) continue
    progress(`idle connections through ${contender.name}, memory of the ${side}`)
    take(0, { ...work, id: `idle, ${side}` }, contender, tree(child.pid ?? 0))
  }
}

function take(
  round: number,
  { id, service, connections }: Work,
  { name, portFor }: Pick<Contender, "portFor"> & { readonly name: string },
  pids: readonly number[],
): void {
  const index = SERVICES.indexOf(service)
  const hello = at(`${service}-${name}.hello`)
  writeFileSync(hello, helloFor(serverName(service), "standard"))
  const args = [service, String(portFor(index)), hello, ...[connections, WARM_MS, RUN_MS].map(String), pids.join(",")]
  const { stdout, stderr, status } = spawnSync(at("load"), args, { encoding: "utf8", timeout: LOAD_PATIENCE_MS })
  if (status === 0)
    measured.push({ round, work: id, contender: name, sample: JSON.parse(stdout) as Sample }) // load.c's one line
  else failures.push(`${id} through ${name}: ${stderr || "no end"}`)
}

function at(name: string): string {
  return join(folder, name)
}

/** A process and its children: some work in those. */
function tree(pid: number): readonly number[] {
  const tasks = readdirSync(`/proc/${pid}/task`)
  const children = tasks.flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, "utf8").split(" "))
  return [pid, ...children.filter(Boolean).flatMap((child) => tree(Number(child)))]
}

function report(): void {
  if (values.json)
    return console.log(
      JSON.stringify({ machine: machine(), load: [loadBefore, load()], measured, web, ceiling: most, failures }),
    )
  console.log(
    `${JSON.stringify(machine())}\nload ${loadBefore} at the beginning, ${load()} at the end; medians of ${values.rounds} rounds\n`,
  )
  const names = [...new Set(measured.map(({ contender }) => contender))]
  for (const { id, service } of WORKS) {
    console.log(id)
    for (const name of names) console.log(`  ${name.padEnd(9)} ${lineOf(id, service, name)}`)
  }
  for (const { work, contender, sample } of measured.filter(({ work }) => work.startsWith("idle"))) {
    const megabytes = (sample.bytesPerConnection * IDLE_CONNECTIONS) / 1e6
    console.log(
      `${work} of ${contender}: ${megabytes.toFixed(1)} MB for ${IDLE_CONNECTIONS} connections, ${sample.errors} failed`,
    )
  }
  if (most)
    console.log(
      `one stream of Node's HTTP/2 over TLS, nothing else: ${most.megabytesPerSecond.toFixed(0)} MB/s, ${most.receiverCpuSecondsPerGigabyte.toFixed(2)} s CPU/GB where it is received`,
    )
  for (const { contender, figures } of web) {
    const { megabytesPerSecond, requestsPerSecond, failed } = figures
    const rates = `${megabytesPerSecond.toFixed(2)} MB/s in one download, ${requestsPerSecond.toFixed(0)} requests/s`
    console.log(`web server at home through ${contender}: ${rates}, ${failed} failed`)
  }
  for (const failure of failures) console.log(`FAILED ${failure}`)
}

function lineOf(work: string, service: Service, name: string): string {
  const own = measured.filter((one) => one.work === work && one.contender === name)
  const cpuOf = ({ cpuSeconds, gigabytes, done }: Sample) =>
    service === "down" || service === "up" ? cpuSeconds / gigabytes : (cpuSeconds / done) * 1e6
  const rates = own.map(({ sample }) => rateOf({ service }, sample))
  const ratios = own.flatMap(({ round, sample }) => {
    const plain = measured.find((one) => one.work === work && one.contender === "plain" && one.round === round)
    return plain ? [rateOf({ service }, sample) / rateOf({ service }, plain.sample)] : []
  })
  const unit = service === "down" || service === "up" ? ["GB/s", "s CPU/GB"] : ["/s", "µs CPU each"]
  const errors = own.reduce((sum, { sample }) => sum + sample.errors, 0)
  const p50 = service === "pong" ? `, p50 ${median(own.map(({ sample }) => sample.p50Us)).toFixed(0)} µs` : ""
  return `${median(rates).toFixed(3)} ${unit[0]} (${median(ratios).toFixed(2)} × plain), ${median(own.map(({ sample }) => cpuOf(sample))).toFixed(2)} ${unit[1]}${p50}, ${errors} failed`
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}

function progress(what: string): void {
  console.error(what)
}
