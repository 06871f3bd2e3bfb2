/**
 * How our relay and other programs take the vectors of test/vectors: `npm run conformance` prints the tables and
 * writes docs/conformance.md. Everything is sent in one piece; how it is cut on the way is what the unit tests vary.
 */
import { once } from "node:events"
import { writeFileSync } from "node:fs"
import { connect } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { ipAddress } from "../src/names/ip-address.ts"
import { judge } from "../test/support/installed.ts"
import { readVectors, type HelloExpectation, type ProxyExpectation, type Vector } from "../test/support/vectors.ts"
import { openBackend, type Backend } from "./conformance/backend.ts"
import type { Contestant } from "./conformance/contestant.ts"
import { helloRouters } from "./conformance/hello-routers.ts"
import { proxyReceivers } from "./conformance/proxy-receivers.ts"
import { tableOf, type Mark, type Row } from "./conformance/report.ts"

/** Ours: who has neither connected to a backend nor answered by then has not taken it. HAProxy is told to wait less. */
const PATIENCE_MS = 800

async function helloRows(): Promise<readonly Row[]> {
  const vectors = [
    ...readVectors<HelloExpectation>("client-hello-built"),
    ...readVectors<HelloExpectation>("client-hello-real"),
  ]
  const names = vectors.map(({ expect }) => nameIn(expect)).filter((name) => name !== undefined)
  const others = [...new Set(names)].filter((name) => name !== "alice.example")
  await using alice = await openBackend()
  await using other = await openBackend()
  const rows: Row[] = []
  for (const start of helloRouters) {
    await using router = await start({ alicePort: alice.port, otherPort: other.port, others })
    const marks = new Map<string, Mark>()
    for (const vector of vectors) marks.set(vector.name, await helloMark(router, vector, alice, other))
    rows.push({ contestant: router.name, marks })
  }
  return rows
}

async function helloMark(
  router: Contestant,
  vector: Vector<HelloExpectation>,
  alice: Backend,
  other: Backend,
): Promise<Mark> {
  const name = nameIn(vector.expect)
  const [wanted, unwanted] = name === "alice.example" ? [alice, other] : [other, alice]
  for (const backend of [alice, other]) backend.forget()
  const socket = connect(router.port, "127.0.0.1")
  socket.on("error", () => {}) // refused by a reset
  socket.write(vector.bytes)
  const arrived = () => wanted.heard().length >= vector.bytes.length
  await until(() => socket.closed || (name !== undefined && arrived()))
  socket.destroy()
  if (unwanted.visits() > 0 || (name === undefined && wanted.visits() > 0)) return "takes what is wrong"
  if (name === undefined || wanted.heard().equals(vector.bytes)) return "right"
  return wanted.visits() === 0 && vector.alsoRight !== undefined ? "right" : "refuses what is valid"
}

function nameIn(expectation: HelloExpectation): string | undefined {
  return typeof expectation === "object" && "name" in expectation ? (expectation.name ?? undefined) : undefined
}

async function proxyRows(): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const start of proxyReceivers) {
    await using receiver = await start()
    const marks = new Map<string, Mark>()
    for (const vector of readVectors<ProxyExpectation>("proxy-header-built")) {
      marks.set(vector.name, proxyMark(vector, await believed(receiver, vector)))
    }
    rows.push({ contestant: receiver.name, marks })
  }
  return rows
}

/** What a receiver makes of a header: both ends, `unknown` where it keeps the real ones, `undefined` if it closes. */
async function believed(receiver: Contestant, vector: Vector<ProxyExpectation>): Promise<string | undefined> {
  const socket = connect(receiver.port, "127.0.0.1")
  socket.on("error", () => {}) // refused by a reset
  let answer = ""
  socket.on("data", (piece: Buffer) => (answer += piece.toString()))
  await once(socket, "connect")
  socket.write(vector.bytes.subarray(0, vector.bytes.length - vector.afterBytes))
  if (vector.expect !== "need-more") socket.write("GET / HTTP/1.1\r\nHost: judge\r\nConnection: close\r\n\r\n")
  await until(() => socket.closed || ENDS.test(answer))
  socket.destroy()
  const ends = ENDS.exec(answer)?.groups
  if (!ends) return undefined
  const isReal = !ends["from"] || ends["from"] === "127.0.0.1"
  return isReal ? "unknown" : [spelled(ends["from"], ends["fromPort"]), spelled(ends["to"], ends["toPort"])].join(" ")
}

const ENDS = /from=(?<from>[^|]*)\|(?<fromPort>\d*) to=(?<to>[^|]*)\|(?<toPort>\d*)\./

function spelled(address = "", port = ""): string {
  return `${ipAddress(address) ?? address} ${port || "0"}` // nginx and HAProxy write no port 0
}

function proxyMark(vector: Vector<ProxyExpectation>, told: string | undefined): Mark {
  const right = [vector.expect, vector.alsoRight ?? vector.expect].map(inWords)
  if (right.includes(told)) return "right"
  return told === undefined ? "refuses what is valid" : "takes what is wrong"
}

function inWords(expectation: ProxyExpectation): string | undefined {
  if (expectation === "unknown" || expectation === "local") return "unknown"
  if (expectation === "need-more" || "refused" in expectation) return undefined
  return [expectation.remote, expectation.local].map((end) => end.replace(/^\[?(.*?)\]?:(\d+)$/, "$1 $2")).join(" ")
}

async function until(reached: () => boolean): Promise<void> {
  const giveUpAt = performance.now() + PATIENCE_MS
  while (!reached() && performance.now() < giveUpAt) await delay(2)
}

const missing = (["haproxy", "nginx", "sniproxy"] as const).filter((name) => judge(name) === undefined)
if (missing.length > 0) {
  console.error(`not installed here: ${missing.join(", ")}`)
  process.exit(1)
}
const page = `# Conformance

Made by \`npm run conformance\`; do not edit. The vectors, with what is right and the rule that says so, are in
[test/vectors](../test/vectors). Every program is configured to be as helpful as it can be (names compared without
regard to case, with and without the trailing dot, buffers that are large enough). Waypost is the whole relay.

## ClientHello: who routes by the right name

A valid hello must reach the backend of its name with every byte unchanged. One that breaks a rule, or names nobody,
must reach none. Where the rules leave a choice, both count as right.

${tableOf(await helloRows())}

## PROXY protocol: who believes the right address

A valid header must give the addresses in it; a wrong one must close the connection. Where the specification leaves a
choice (addresses of unknown kind, TLVs that a receiver may skip), both count as right.

${tableOf(await proxyRows())}
`
console.log(page)
writeFileSync(new URL("../docs/conformance.md", import.meta.url), page)
