/**
 * One accepted connection from beginning to end: it reads until it has been decided what to do, does it, and reports how
 * it ended.
 */
import { setMaxListeners } from "node:events"
import type { Socket } from "node:net"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import type { Accepted } from "./accepted.ts"
import { Carriage, type Carried } from "./carriage.ts"
import type { Deadlines, Expiring } from "./deadlines.ts"
import type { Descriptors } from "./descriptors.ts"
import { Dialling, type Dialled } from "./dialling.ts"
import type { Arrival, Carry, Decide, Decision, Ended, EndedHow, ListenOptions } from "./engine.ts"
import type { ReadBuffers } from "./read-buffers.ts"
import { Received } from "./received.ts"
import { reset } from "./reset.ts"

/** Ours: how long a visitor who was answered may take to close, so that no reset overtakes the answer. */
const ANSWERED_LINGER_MS = 2_000
/** Ours: more than any hello that a decision could wait for; who says so much without one is cut. */
const UNDECIDED_BYTES_MAX = 256 * 1024
const NOTHING = new Uint8Array(0)

/** What the visits of one listener share. */
export type Door = {
  readonly listen: ListenOptions
  readonly decide: Decide
  readonly deadlines: Deadlines
  readonly buffers: ReadBuffers
  readonly descriptors: Descriptors
  readonly log: Log
  readonly entered: (visit: Visit) => void
  /** Somebody was sent away, because he could not have been carried. */
  readonly noRoom: () => void
  /** The visit is over: none of its descriptors is open any more. */
  readonly left: (visit: Visit) => void
}

export type Ends = { readonly remote: SocketAddress; readonly local: SocketAddress }

type Adopt = Extract<Decision, { readonly do: "adopt" }>

type Stage =
  | { readonly at: "deciding"; readonly accepted: Accepted }
  | { readonly at: "dialling"; readonly dialling: Dialling }
  | { readonly at: "carried"; readonly carriage: Carriage }
  | { readonly at: "leaving" }

/** Begins a visit. */
export function receive(accepted: Accepted, door: Door): void {
  const { ends } = accepted
  if (!ends) return void accepted.ordinary(NOTHING).destroy()
  if (!door.descriptors.hasRoom(accepted.fd)) {
    reset(accepted.ordinary(NOTHING))
    return door.noRoom()
  }
  const asksAtOnce = door.listen.ask === "accept"
  const decision: Decision = asksAtOnce ? ask(door, { ...ends, received: NOTHING, finished: false }) : { do: "wait" }
  if (decision.do !== "adopt") return new Visit(accepted, ends, door).begin(decision)
  give(door, decision, accepted.ordinary(NOTHING))
  report(door, { ...nothingMoved(door, ends), how: "adopted" })
}

export class Visit implements Expiring, Carried {
  dueTick = 0
  slotPlace = 0
  doorPlace = 0
  readonly #door: Door
  readonly #ends: Ends
  readonly #socket: Socket
  readonly #startedAtMs = performance.now()
  #stage: Stage
  #received: Received | undefined
  #finished = false
  #openSockets = 1
  /** A descriptor for the backend is kept back. */
  #promised = true
  #carry: Carry | undefined
  #how: EndedHow | undefined

  constructor(accepted: Accepted, ends: Ends, door: Door) {
    this.#door = door
    this.#ends = ends
    this.#stage = { at: "deciding", accepted }
    this.#socket = accepted.reading({
      buffer: () => this.#buffer,
      callback: (readBytes, buffer) => this.#read(readBytes, buffer),
    })
    this.#socket.on("end", () => this.#visitorFinished())
    this.#socket.on("error", () => this.#visitorFailed())
    this.#socket.on("close", () => this.#socketClosed())
    door.entered(this)
    door.descriptors.promised += 1
    door.deadlines.set(this, door.listen.decideDeadlineMs)
  }

  begin(decision: Decision): void {
    if (this.#act(decision, NOTHING)) this.#socket.resume()
  }

  /** Ends the visit at once; both sides see a reset. */
  cut(how: EndedHow): void {
    this.ending(how)
    if (this.#stage.at === "carried") return this.#stage.carriage.cut(how)
    if (this.#stage.at === "dialling") this.#stage.dialling.cancel()
    this.#stage = { at: "leaving" }
    reset(this.#socket)
  }

  /** The first reason counts; what follows from it is not another. */
  ending(how: EndedHow): void {
    this.#how ??= how
  }

  backendClosed(): void {
    this.#socketClosed()
  }

  expired(): void {
    this.ending("undecided")
    this.#socket.destroy()
  }

  get #buffer(): Uint8Array {
    return this.#stage.at === "carried" ? this.#stage.carriage.toBackend.buffer : this.#shared
  }

  get #shared(): Uint8Array {
    return this.#door.buffers.shared.bytes
  }

  /** `false`: read no more until the socket is resumed. */
  #read(readBytes: number, buffer: Uint8Array): boolean {
    switch (this.#stage.at) {
      case "carried":
        return this.#stage.carriage.toBackend.read(readBytes, buffer)
      case "deciding":
        return this.#hear(buffer.subarray(0, readBytes))
      case "dialling":
        return false
      case "leaving":
        return true // not for us any more, but unread it would turn the close into a reset
      default:
        return unreachable(this.#stage)
    }
  }

  #hear(bytes: Uint8Array): boolean {
    this.#received?.add(bytes)
    const received = this.#received?.view ?? bytes
    const decision = ask(this.#door, { ...this.#ends, received, finished: false })
    if (decision.do === "wait" && !this.#received) this.#received = new Received(bytes)
    return this.#act(decision, received)
  }

  #visitorFinished(): void {
    this.#finished = true
    if (this.#stage.at === "carried") this.#stage.carriage.toBackend.finish()
    if (this.#stage.at !== "deciding") return
    const received = this.#received?.view ?? NOTHING
    this.#act(ask(this.#door, { ...this.#ends, received, finished: true }), received)
  }

  #visitorFailed(): void {
    if (this.#stage.at === "carried") return this.#stage.carriage.visitorFailed()
    this.ending(this.#stage.at === "deciding" ? "undecided" : "visitor-reset")
    if (this.#stage.at === "dialling") this.#stage.dialling.cancel()
  }

  /** Does what was decided; says whether to read on. */
  #act(decision: Decision, received: Uint8Array): boolean {
    switch (decision.do) {
      case "wait":
        if (this.#finished || received.length > UNDECIDED_BYTES_MAX) this.expired()
        return !this.#finished
      case "carry":
        this.#dial(decision, received)
        return false
      case "answer":
        this.#answer(decision.bytes, "answered")
        return true
      case "reset":
        this.cut("reset-by-us")
        return false
      case "adopt":
        this.#giveAway(decision, Buffer.from(received.subarray(decision.skipBytes)))
        return false
      default:
        return unreachable(decision)
    }
  }

  #dial(carry: Carry, received: Uint8Array): void {
    this.#carry = carry
    if (carry.signal?.aborted) return this.cut("cancelled")
    if (carry.signal) this.#heed(carry.signal)
    this.#door.deadlines.forget(this)
    this.#received = undefined
    const replayed = received.subarray(carry.skipBytes)
    const first = carry.prefix.length > 0 ? Buffer.concat([carry.prefix, replayed]) : Buffer.from(replayed)
    const onread = {
      buffer: (): Uint8Array => (this.#stage.at === "carried" ? this.#stage.carriage.toVisitor.buffer : this.#shared),
      callback: (readBytes: number, buffer: Uint8Array): boolean =>
        this.#stage.at === "carried" && this.#stage.carriage.toVisitor.read(readBytes, buffer),
    }
    const options = { to: carry.to, deadlineMs: carry.connectDeadlineMs, onread }
    const done = (dialled: Dialled): void => this.#dialled(dialled, carry, first)
    this.#stage = { at: "dialling", dialling: new Dialling(options, this.#door.deadlines, done) }
    this.#endPromise() // the dial has it now: promised and open, it would count twice
  }

  #heed(signal: AbortSignal): void {
    setMaxListeners(0, signal) // one signal may be for everything that a friend has open
    signal.addEventListener("abort", this.#aborted)
  }

  #dialled(dialled: Dialled, carry: Carry, first: Uint8Array): void {
    if (dialled.kind !== "connected") {
      if (carry.onConnectFailure.length > 0) return this.#answer(carry.onConnectFailure, dialled.kind)
      return this.cut(dialled.kind)
    }
    this.#openSockets += 1
    const { buffers, deadlines } = this.#door
    const ends = { visitor: this.#socket, backend: dialled.socket }
    const { idleDeadlineMs, meter } = carry
    const carriage = new Carriage({ ...ends, idleDeadlineMs, buffers, deadlines, meter }, this)
    this.#stage = { at: "carried", carriage }
    carriage.start(first)
    if (this.#finished) carriage.toBackend.finish()
  }

  /** The last words to a visitor: nothing may follow them before they have arrived. */
  #answer(bytes: Uint8Array, how: EndedHow): void {
    this.ending(how)
    this.#stage = { at: "leaving" }
    this.#door.deadlines.set(this, ANSWERED_LINGER_MS)
    this.#socket.end(bytes)
    this.#socket.resume()
  }

  #giveAway(decision: Adopt, unread: Uint8Array): void {
    if (this.#stage.at !== "deciding") return
    const { accepted } = this.#stage
    this.#stage = { at: "leaving" }
    this.ending("adopted")
    // Not before the read that brought the decision is over: Node still has its hands on the handle.
    process.nextTick(() => {
      if (this.#socket.destroyed) return
      give(this.#door, decision, accepted.ordinary(unread))
      this.#socketClosed()
    })
  }

  readonly #aborted = (): void => this.cut("cancelled")

  #endPromise(): void {
    if (this.#promised) this.#door.descriptors.promised -= 1
    this.#promised = false
  }

  #socketClosed(): void {
    this.#openSockets -= 1
    if (this.#openSockets > 0) return
    this.#endPromise()
    this.#door.deadlines.forget(this)
    this.#carry?.signal?.removeEventListener("abort", this.#aborted)
    const carriage = this.#stage.at === "carried" ? this.#stage.carriage : undefined
    carriage?.release()
    this.#door.left(this)
    report(this.#door, {
      ...nothingMoved(this.#door, this.#ends),
      tag: this.#carry?.tag,
      bytesToBackend: carriage?.toBackend.sentBytes ?? 0,
      bytesToVisitor: carriage?.toVisitor.sentBytes ?? this.#socket.bytesWritten,
      durationMs: performance.now() - this.#startedAtMs,
      how: this.#how ?? "both-finished",
    })
  }
}

/** A decision, also when deciding fails: a fault in one connection stays in it. */
function ask(door: Door, arrival: Arrival): Decision {
  return unlessItThrows(door, () => door.decide(arrival)) ?? { do: "reset", why: "deciding failed" }
}

function give(door: Door, { adopted }: Adopt, socket: Socket): void {
  const taken = unlessItThrows(door, () => (adopted(socket), true))
  if (!taken) reset(socket.on("error", () => {}))
}

function report(door: Door, ended: Ended): void {
  unlessItThrows(door, () => door.listen.ended(ended))
}

/** What others do for us runs inside an event of Node's, where an exception would end the process. */
function unlessItThrows<Result>(door: Door, act: () => Result): Result | undefined {
  try {
    return act()
  } catch (error) {
    door.log.error("connection-fault", { listener: door.listen.name, detail: String(error) })
    return undefined
  }
}

function nothingMoved(door: Door, { remote, local }: Ends): Omit<Ended, "how"> {
  const moved = { tag: undefined, bytesToBackend: 0, bytesToVisitor: 0, durationMs: 0 }
  return { listener: door.listen.name, remote, local: local.address, ...moved }
}
