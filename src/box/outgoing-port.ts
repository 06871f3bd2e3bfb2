/**
 * The port at home where the owner's mail server asks for connections to other mail servers. They leave from the owner's
 * own address at a relay: who reaches this port can send mail from there.
 */
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import type { BoxOutgoing } from "../config/box-config.ts"
import { fault, FaultError } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { isLoopback } from "../names/ip-address.ts"
import type { Engine } from "../net/engine.ts"
import { nextStep, type Answers, type Stage } from "../outgoing/dialogue.ts"
import { askInTurn, type Exit } from "./ask-in-turn.ts"

/** RFC 5321 §4.5.4.2: where mail servers are. The relay insists on it too. */
const MAIL_PORT = 25
/** Ours: a program on this machine says at once where it wants to go. */
const REQUEST_MS_MAX = 10_000
/** Ours: what was turned away may take this long to close. */
const LAST_WORDS_MS_MAX = 2_000

export type OutgoingPortOptions = BoxOutgoing & {
  readonly engine: Pick<Engine, "listen" | "splice">
  /** In the order in which they are to be tried. */
  readonly exits: () => readonly Exit[]
  readonly clock: Clock
  readonly log: Log
}

/** Listens until the engine is closed. Resolves to where; rejects with a `FaultError` BIND_REFUSED. */
export async function openOutgoingPort(options: OutgoingPortOptions): Promise<SocketAddress> {
  const { engine, listen, login, log } = options
  const listener = await engine.listen(
    { name: "outgoing", bind: listen, ask: "accept", decideDeadlineMs: REQUEST_MS_MAX, ended: () => {} },
    () => ({ do: "adopt", skipBytes: 0, adopted: (socket) => void serve(socket, options) }),
  )
  log.info("outgoing port", { bound: endpointText(listener.bound), login: login !== undefined })
  if (!isLoopback(listener.bound.address) && !login)
    log.warn("outgoing port is open to the network", {
      why: "whoever reaches it can send mail from this box's addresses; set user and password",
    })
  return listener.bound
}

/** One program: hears where it wants to go, has it opened, and splices. */
async function serve(program: Duplex, options: OutgoingPortOptions): Promise<void> {
  const { log, engine } = options
  program.on("error", () => {}) // `close` follows
  const wanted = await heard(program, options)
  if (!wanted) return
  const { to, answers } = wanted
  const place = endpointText(to)
  try {
    if (to.port !== MAIL_PORT) throw new FaultError(fault("OUTGOING_PORT", place))
    const { relay, outside } = await askInTurn(to, options.exits(), whenGone(program))
    program.write(answers.connected(outside.local))
    const { how, leftToRightBytes, rightToLeftBytes } = await engine.splice(program, outside.stream)
    const bytes = { bytesOut: leftToRightBytes, bytesIn: rightToLeftBytes }
    log.info("outgoing", { to: place, relay, from: outside.local.address, how, ...bytes })
  } catch (error) {
    if (!(error instanceof FaultError)) throw error
    const { code } = error.fault
    log.warn("outgoing refused", { to: place, code })
    turnAway(program, answers.refused(code), options.clock)
  }
}

type Wanted = { readonly to: Endpoint; readonly answers: Answers }

/** What the program asks for, everything behind that left in it; `undefined`: it was turned away, or has left. */
function heard(program: Duplex, { login, clock, log }: OutgoingPortOptions): Promise<Wanted | undefined> {
  return new Promise((resolve) => {
    let [stage, received]: [Stage, Buffer] = ["first", Buffer.alloc(0)]
    const overdue = clock.after(REQUEST_MS_MAX, () => program.destroy())
    const done = (wanted: Wanted | undefined) => {
      overdue()
      program.off("data", read).off("close", left).pause()
      resolve(wanted)
    }
    const left = () => done(undefined)
    const read = (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      let step = nextStep(stage, received, login)
      for (; step.do === "say"; step = nextStep(stage, received, login)) {
        program.write(step.bytes)
        received = received.subarray(step.consumedBytes)
        stage = step.next
      }
      if (step.do === "wait") return
      done(step.do === "connect" ? step : undefined)
      if (step.do === "connect") return program.unshift(received.subarray(step.consumedBytes))
      log.warn("outgoing refused", { code: step.code })
      turnAway(program, step.bytes, clock)
    }
    program.on("data", read).once("close", left)
  })
}

/** Says it, and closes: at once when the program has closed too, so that it can read what was said. */
function turnAway(program: Duplex, answer: Uint8Array, clock: Clock): void {
  const overdue = clock.after(LAST_WORDS_MS_MAX, () => program.destroy())
  program.once("close", overdue)
  program.resume().end(answer)
}

function whenGone(program: Duplex): AbortSignal {
  const gone = new AbortController()
  program.once("close", () => gone.abort())
  return gone.signal
}
