/** What one large message costs in memory while it passes, and what a sender does who says nothing after EHLO. */
import { connect, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import type { Contestant } from "./contestants.ts"
import { pssBytes } from "./family.ts"
import type { Sink } from "./sink.ts"
import { arrival, send } from "./throughput.ts"

export const LARGE_BYTES = 50_000_000
/** Ours: so many that what the program had to spare before is little beside them. */
const IDLE_SESSIONS = 5_000
/** Ours: below what the relay takes from one address (connections-per-source-max). */
const SESSIONS_PER_ADDRESS = 150
const SAMPLE_EVERY_MS = 10
/** Ours: what a program needs to have loaded before it is weighed, and no more: what it has to spare would hide what it takes. */
const WARM_MESSAGES = 20
const SETTLE_MS = 2_000

/** Bytes above what the warm program has, at the worst moment until the message has arrived. */
export async function largeMailBytes(contestant: Contestant, sink: Sink): Promise<number> {
  await warm(contestant, sink)
  const before = pssBytes(contestant.pid)
  const expected = sink.received() + 1
  let peak = before
  let done = false
  const weighing = (async () => {
    for (; !done; await sleep(SAMPLE_EVERY_MS)) peak = Math.max(peak, pssBytes(contestant.pid))
  })()
  await send(contestant, { messages: 1, sessions: 1, bytes: LARGE_BYTES })
  await arrival(sink, expected)
  done = true
  await weighing
  return peak - before
}

/** Bytes for each of many sessions that have said EHLO and nothing more. */
export async function idleSessionBytes(contestant: Contestant, sink: Sink): Promise<number> {
  await warm(contestant, sink)
  const before = pssBytes(contestant.pid)
  const sockets: Socket[] = []
  while (sockets.length < IDLE_SESSIONS) {
    const from = `127.0.1.${1 + Math.floor(sockets.length / SESSIONS_PER_ADDRESS)}`
    sockets.push(await idle(contestant.port, from))
  }
  await sleep(SETTLE_MS)
  const bytes = (pssBytes(contestant.pid) - before) / IDLE_SESSIONS
  for (const socket of sockets) socket.destroy()
  return bytes
}

async function warm(contestant: Contestant, sink: Sink): Promise<void> {
  const expected = sink.received() + WARM_MESSAGES
  await send(contestant, { messages: WARM_MESSAGES, sessions: 10, bytes: 10_240 })
  await arrival(sink, expected)
  await sleep(SETTLE_MS)
}

function idle(port: number, localAddress: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1", localAddress })
    let said = ""
    socket.on("error", reject)
    socket.on("close", () => reject(new Error(`an idle session was closed after ${said}`)))
    socket.setEncoding("latin1").on("data", (text: string) => {
      const greeted = said.includes("\n")
      said += text
      if (!greeted && said.includes("\n")) socket.write("EHLO mx.sender.example\r\n")
      if (/^250 .*\r\n/m.test(said)) resolve(socket)
    })
  })
}
