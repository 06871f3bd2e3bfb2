/**
 * `npm run bench:prelude`: what a shared port 25 costs. Round trips to the friend's server until the first mail byte can
 * be sent, counted and timed, against the same server at an address of its own; processor time for a prelude; memory of
 * one that is idle, and whether all are gone at the deadline. Everything is on loopback, and bounded.
 *
 *   npm run bench:prelude -- [--preludes 5000] [--idle 10000] [--far 250] [--json]
 */
import { once } from "node:events"
import type { Socket } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { parseArgs } from "node:util"
import { hostname, type Hostname } from "../src/names/hostname.ts"
import { keyPair } from "../test/support/key-pair.ts"
import { startMailHost } from "../test/support/smtp-dialogue.ts"
import { countTurns } from "../test/support/turns.ts"
import { farHome, thinHome } from "./prelude/home.ts"
import { msToFirstMailByte, prelude, silent } from "./prelude/senders.ts"
import { FRIENDS_HOST, openSharedPort, OWN_ADDRESS } from "./prelude/shared-port.ts"

const { values: asked } = parseArgs({
  options: {
    preludes: { type: "string", default: "5000" },
    idle: { type: "string", default: "10000" },
    far: { type: "string", default: "250" },
    json: { type: "boolean", default: false },
  },
})

const AT_ONCE = 100
/** Ours: long enough to open all of them on a busy machine before the first is sent away. */
const IDLE_DEADLINE_S = 60

const results = {
  roundTrips: await roundTrips(Number(asked.far)),
  preludes: await rate(Number(asked.preludes)),
  idle: await idle(Number(asked.idle)),
}
if (asked.json) console.log(JSON.stringify(results))
else console.log(text(results))

/**
 * The friend's server is `farMs` there and back; so much slower that noise does not count. `turns`: how often whoever is
 * there waited for an answer of the server's; `timed`: the whole in round trips, that of connecting too.
 */
async function roundTrips(farMs: number) {
  const pair = await keyPair(FRIENDS_HOST)
  await using home = await startMailHost({ name: hostname(FRIENDS_HOST) as Hostname, tls: pair })
  await using far = await farHome(home.port, farMs / 2)
  await using near = await countTurns(far.port)
  await using relay = await openSharedPort(near.port, "60s")
  const measured = async (host: string, port: number) => {
    const ms = await msToFirstMailByte(host, port)
    return { turns: near.turns(), timed: Number((ms / farMs).toFixed(2)) }
  }
  const direct = await measured("127.0.0.1", near.port)
  const own = await measured(OWN_ADDRESS, relay.ownPort)
  const shared = await measured("127.0.0.1", relay.port)
  const added = { turns: shared.turns - direct.turns, timed: Number((shared.timed - direct.timed).toFixed(2)) }
  return { direct, own, shared, added }
}

async function rate(count: number) {
  await using home = await thinHome()
  await using relay = await openSharedPort(home.port, "60s")
  const run = async (preludes: number) => {
    let left = preludes
    const worker = async () => {
      while (left-- > 0) await prelude(relay.port)
    }
    await Promise.all(Array.from({ length: AT_ONCE }, worker))
  }
  await run(Math.min(count, 1_000)) // until what is compiled is compiled
  const [cpuBefore, before] = [relay.cpuSeconds(), performance.now()]
  await run(count)
  const seconds = (performance.now() - before) / 1000
  const cpuMs = ((relay.cpuSeconds() - cpuBefore) * 1000) / count
  return { count, perSecond: Math.round(count / seconds), relayCpuMsEach: Number(cpuMs.toFixed(3)) }
}

async function idle(count: number) {
  await using home = await thinHome()
  await using relay = await openSharedPort(home.port, `${IDLE_DEADLINE_S}s`)
  await prelude(relay.port)
  const before = relay.rssBytes()
  const sockets: Socket[] = []
  while (sockets.length < count) {
    const batch = Math.min(AT_ONCE, count - sockets.length)
    // A loopback address has ports for 28,000 connections to one port; several leave room.
    const from = `127.0.1.${1 + (Math.floor(sockets.length / 1_000) % 200)}`
    sockets.push(...(await Promise.all(Array.from({ length: batch }, () => silent(relay.port, from)))))
  }
  const openForMs = performance.now()
  const alive = sockets.filter((socket) => !socket.destroyed && !socket.readableEnded).length
  const bytesEach = Math.round((relay.rssBytes() - before) / count)
  const farewells = sockets.map((socket) => heardToTheEnd(socket))
  const late = delay(2 * IDLE_DEADLINE_S * 1000, "late" as const, { ref: false })
  const ends = await Promise.all(farewells.map((farewell) => Promise.race([farewell, late])))
  const told = ends.filter((words) => words.startsWith("421 ")).length
  const goneAfterS = Math.round((performance.now() - openForMs) / 1000)
  return { count, aliveTogether: alive, bytesEach, told, gone: ends.filter((end) => end !== "late").length, goneAfterS }
}

async function heardToTheEnd(socket: Socket): Promise<string> {
  let words = ""
  socket.on("data", (bytes: Buffer) => (words += bytes.toString("latin1")))
  socket.resume()
  if (!socket.destroyed) await once(socket, "close")
  return words
}

function text({ roundTrips: trips, preludes, idle: silence }: typeof results): string {
  return [
    `round trips to the friend's server until its first reply behind TLS: ${trip(trips.direct)} direct, ${trip(trips.own)} through`,
    `  an own address at the relay, ${trip(trips.shared)} through the shared port: ${trip(trips.added)} added`,
    `${preludes.count} preludes: ${preludes.perSecond} per second here, ${preludes.relayCpuMsEach} ms of the relay's processor each`,
    `${silence.aliveTogether} of ${silence.count} idle preludes at once: ${silence.bytesEach} bytes each; ${silence.gone} gone and ${silence.told} told`,
    `  why after ${silence.goneAfterS} s (deadline ${IDLE_DEADLINE_S} s)`,
  ].join("\n")
}

function trip({ turns, timed }: { readonly turns: number; readonly timed: number }): string {
  return `${turns} counted (${timed} timed, with connecting)`
}
