/**
 * `npm run soak`: a relay in a process of its own, under visitors who send, finish, stall, drip, say nothing and reset,
 * in an order that follows from a seed, while its configuration is reloaded. Every byte is checked on both sides; in the
 * end descriptors and memory must be back to what they were after the first tenth.
 *
 *   npm run soak -- [--seconds 600] [--visitors 60] [--engine native|javascript] [--threads 2] [--seed 1]
 */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import type { AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { parseArgs } from "node:util"
import { freePort } from "../test/support/program.ts"
import { helloFor } from "./dataplane/hello.ts"
import { soakService, type Faults } from "./soak/service.ts"
import { visit, type Manner } from "./soak/visitor.ts"

/** Ours: the relay's heap breathes by about this much. */
const RSS_GROWTH_BYTES_MAX = 32 * 1024 * 1024
/** Ours: empty pipes that threads keep ready. */
const DESCRIPTORS_GROWTH_MAX = 80
const RELOAD_EVERY_MS = 3_000
const HELLO_DEADLINE = "2s"
const FAULTS_SHOWN_MAX = 20

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "600" },
    visitors: { type: "string", default: "60" },
    engine: { type: "string", default: "native" },
    threads: { type: "string", default: "2" },
    seed: { type: "string", default: "1" },
  },
})
const faults: Faults = []
const folder = mkdtempSync(join(tmpdir(), "waypost-soak-"))
const service = soakService(faults).listen(0, "127.0.0.1")
await once(service, "listening")
const servicePort = (service.address() as AddressInfo).port // listening on TCP
const ports = { steady: await freePort(), coming: await freePort() }
const configFile = join(folder, "relay.yaml")
writeFileSync(configFile, config(false))
const relay = await startRelay()
const hello = helloFor("alice.example", "post-quantum")
const tally = new Map<Manner, number>()
let seed = Number(values.seed) * 1_000_000
let running = true

const began = Date.now()
const visitors = Array.from({ length: Number(values.visitors) }, () => comeAgainAndAgain())
const reloading = reloadAgainAndAgain()
await sleep(Number(values.seconds) * 100)
const usedFirst = used(relay.pid ?? 0)
await sleep(Number(values.seconds) * 900)
running = false
await Promise.all([...visitors, reloading])
await sleep(3_000) // the last deadlines, and memory that is given back
const usedLast = used(relay.pid ?? 0)
const ended = once(relay, "exit")
relay.kill("SIGTERM")
const [code, signal] = (await ended) as [number | null, string | null]
service.close()
rmSync(folder, { recursive: true })

if (code !== 0) faults.push({ seed: 0, what: `the relay ended with ${code ?? signal}` })
if (usedLast.descriptors > usedFirst.descriptors + DESCRIPTORS_GROWTH_MAX) faults.push({ seed: 0, what: "descriptors" })
if (usedLast.rssBytes > usedFirst.rssBytes + RSS_GROWTH_BYTES_MAX) faults.push({ seed: 0, what: "memory" })
console.log(`${[...tally.values()].reduce((sum, count) => sum + count, 0)} visits in ${(Date.now() - began) / 1000} s`)
for (const [manner, count] of tally) console.log(`  ${manner}: ${count}`)
console.log(`after a tenth of the time: ${text(usedFirst)}; in the end: ${text(usedLast)}`)
for (const { seed: which, what } of faults.slice(0, FAULTS_SHOWN_MAX)) console.log(`FAULT (seed ${which}) ${what}`)
console.log(faults.length === 0 ? "every byte right" : `${faults.length} faults`)
process.exitCode = faults.length === 0 ? 0 : 1

async function comeAgainAndAgain(): Promise<void> {
  while (running) {
    const manner = await visit({ seed: seed++, port: ports.steady, hello }, faults)
    tally.set(manner, (tally.get(manner) ?? 0) + 1)
  }
}

async function reloadAgainAndAgain(): Promise<void> {
  for (let more = true; running; more = !more) {
    writeFileSync(configFile, config(more))
    relay.kill("SIGHUP")
    await sleep(RELOAD_EVERY_MS)
  }
}

async function startRelay(): Promise<ChildProcess> {
  const program = join(import.meta.dirname, "dataplane/relay.ts")
  const child = spawn(process.execPath, [program, values.engine, values.threads, configFile], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  await Promise.race([once(child.stdout, "data"), once(child, "exit")])
  if (child.exitCode !== null) throw new Error("the relay did not start")
  return child
}

/** `more`: one listener and one friend more, which come and go while the others go on. */
function config(more: boolean): string {
  const route = `{ mode: dedicated, to: "127.0.0.1:${servicePort}" }`
  return `relay: { name: relay.soak.example, state: ./state }
listeners:
  https: { bind: ["127.0.0.1:${ports.steady}"], protocol: tls }
  ${more ? `more: { bind: ["127.0.0.1:${ports.coming}"], protocol: tls }` : ""}
limits: { connections-per-source-max: 9000, hello-deadline: ${HELLO_DEADLINE} }
friends:
  alice: { domains: [alice.example], routes: { https: ${route} } }
  ${more ? `dave: { domains: [dave.example], routes: { more: ${route} } }` : ""}
`
}

type Used = { readonly descriptors: number; readonly rssBytes: number }

function used(pid: number): Used {
  const [, residentPages = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")
  return { descriptors: readdirSync(`/proc/${pid}/fd`).length, rssBytes: Number(residentPages) * 4096 }
}

function text({ descriptors, rssBytes }: Used): string {
  return `${descriptors} descriptors, ${(rssBytes / 1024 / 1024).toFixed(0)} MB`
}
