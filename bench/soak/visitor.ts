/** One visit of the soak: chosen by its seed, so that a fault can be had again. */
import { connect, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { seededDice } from "../../test/support/seeded-dice.ts"
import { Expected, lineOf, pour, streamOf, type Told } from "./told.ts"
import type { Faults } from "./service.ts"
import { HELLO_DEADLINE_MS } from "./soaked-relay.ts"

const MIB = 1024 * 1024

/** What a visitor does besides sending and listening. */
export type Manner = (typeof MANNERS)[number]
const MANNERS = ["finishes-first", "service-first", "stalls", "resets", "service-resets", "drips", "silent"] as const

export type Visit = { readonly seed: number; readonly port: number; readonly hello: Buffer }

/** What a visitor did, and how much he heard. */
export type Visited = { readonly manner: Manner; readonly bytes: number }

/** Resolves when it is over; adds to `faults` what went wrong. */
export async function visit({ seed, port, hello }: Visit, faults: Faults): Promise<Visited> {
  const chance = seededDice(seed)
  const manner = MANNERS[Math.floor(chance() * MANNERS.length)] ?? "stalls"
  const told = toldBy(manner, seed, chance)
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
  const cameAtMs = performance.now()
  const closed = new Promise<void>((resolve) => socket.once("close", () => resolve()))
  let failure: string | undefined
  socket.on("error", (error: NodeJS.ErrnoException) => (failure = error.code ?? error.message))
  const heard = listen(socket, told, manner, chance)
  const greetingMs = await speak(socket, { hello, told, manner, chance })
  await Promise.race([heard.ended, closed])
  const stayedMs = Math.round(performance.now() - cameAtMs)
  if (!socket.destroyed) socket.end()
  const late = sleep(VISIT_PATIENCE_MS, "late" as const, { ref: false })
  if ((await Promise.race([closed, late])) === "late") {
    faults.push({ seed, what: `${manner}: not over after ${VISIT_PATIENCE_MS} ms` })
    socket.destroy()
  }
  const mayBeSentAway = greetingMs > HELLO_DEADLINE_MS / 2 // this machine was too busy for him to speak in time
  const fault = faultOf(mayBeSentAway ? "silent" : manner, told, heard.expected, failure)
  if (fault) faults.push({ seed, what: `${manner}: ${fault}, ${stayedMs} ms after he came` })
  return { manner, bytes: heard.expected.heardBytes }
}

/** Ours: a visit moves a few MB; the machine may be busy. */
const VISIT_PATIENCE_MS = 60_000

function toldBy(manner: Manner, seed: number, chance: () => number): Told {
  const size = (): number => Math.floor(chance() ** 4 * 8 * MIB)
  const told = { seed, bytesUp: size(), bytesDown: size(), serviceFinishesFirst: manner === "service-first" }
  return manner === "service-resets" ? { ...told, serviceResetsAt: Math.floor(chance() * told.bytesDown) } : told
}

function listen(socket: Socket, told: Told, manner: Manner, chance: () => number) {
  const expected = new Expected(told.seed, "down")
  socket.on("data", (bytes: Buffer) => {
    expected.hear(bytes)
    if (manner !== "stalls" || chance() > 0.05) return
    socket.pause()
    setTimeout(() => socket.resume(), chance() * 300)
  })
  const ended = new Promise<void>((resolve) => socket.once("end", () => resolve()))
  return { expected, ended }
}

type Speech = { readonly hello: Buffer; readonly told: Told; readonly manner: Manner; readonly chance: () => number }

/** Says everything; how long the hello took. */
async function speak(socket: Socket, { hello, told, manner, chance }: Speech): Promise<number> {
  if (manner === "silent") {
    if (chance() < 0.5) socket.write(hello.subarray(0, Math.floor(chance() * hello.length)))
    return 0
  }
  const began = performance.now()
  const pieceBytes = manner === "drips" ? DRIP_BYTES : hello.length
  for (let at = 0; at < hello.length; at += pieceBytes) {
    socket.write(hello.subarray(at, at + pieceBytes))
    if (manner === "drips") await sleep(1)
  }
  const greetingMs = performance.now() - began
  socket.write(lineOf(told))
  const resetsAt = manner === "resets" ? chance() * told.bytesUp : Infinity
  await pour(socket, streamOf(told.seed, "up", told.bytesUp), (sentBytes) => sentBytes <= resetsAt)
  if (manner === "resets") socket.resetAndDestroy()
  else if (manner !== "service-first") socket.end()
  return greetingMs
}

const DRIP_BYTES = 40

/** Whoever resets may lose what is under way; what arrived is right in any case. */
function faultOf(manner: Manner, told: Told, expected: Expected, failure: string | undefined): string | undefined {
  if (expected.wrong) return "heard wrong bytes"
  switch (manner) {
    case "resets":
    case "silent":
      return undefined
    case "service-resets":
      return failure === "ECONNRESET" || failure === "EPIPE" ? undefined : `heard ${failure ?? "FIN"}, not a reset`
    case "service-first":
    case "finishes-first":
    case "drips":
    case "stalls":
      if (failure) return `ended with ${failure} after ${expected.heardBytes} of ${told.bytesDown} bytes`
      return expected.heardBytes === told.bytesDown
        ? undefined
        : `heard ${expected.heardBytes} of ${told.bytesDown} bytes`
  }
}
