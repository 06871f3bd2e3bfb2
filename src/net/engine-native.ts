/**
 * The engine in C (native/), seen through the interface of engine.ts. Its threads accept, read, connect and move bytes;
 * every question comes here in a batch of events, and the answers go back as a batch of commands.
 */
import { closeSync } from "node:fs"
import { Socket } from "node:net"
import { availableParallelism } from "node:os"
import type { Duplex } from "node:stream"
import { getSystemErrorName } from "node:util"
import { systemClock } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import { bindRefused } from "./bind-refused.ts"
import type { Arrival, Decide, Decision, Ended, EndedHow, Engine, ListenOptions, OpenListener } from "./engine.ts"
import type { EngineSpliceOptions } from "./engine.ts"
import { Deadlines } from "./deadlines.ts"
import type { Meter } from "./meter.ts"
import type { Addon, Handle } from "./native/addon.ts"
import { together } from "./native/together.ts"
import { addressBytes, COMMAND, Commands, EVENT, Events, milliseconds, SLOT_BITS } from "./native/messages.ts"
import { LISTENER_OF_SPLICED, type ConnectionId, type SpliceOrder } from "./native/messages.ts"
import { plainSocket } from "./plain-socket.ts"
import { seldom } from "./seldom.ts"
import { splice, type Spliced } from "./splice.ts"
import { NativeMeter } from "./native/meter.ts"

/** LISTENERS_MAX of native/messages.h, without the one that stands for what did not come in at a listener. */
const LISTENERS_MAX = LISTENER_OF_SPLICED
const SLOT_MASK = (1 << SLOT_BITS) - 1
/** THREADS_MAX of native/engine.c. */
const THREADS_MAX = 64

/** In the place of a descriptor: bind one. */
const NO_DESCRIPTOR = -1

export type NativeEngineOptions = {
  readonly addon: Addon
  readonly log: Log
  /** Threads that move bytes; one for each core unless said otherwise. */
  readonly threads?: number
}

export function nativeEngine(options: NativeEngineOptions): Engine {
  return new NativeEngine(options)
}

class NativeEngine implements Engine {
  readonly kind = "native"
  readonly #addon: Addon
  readonly #log: Log
  readonly #threads: number
  readonly #handle: Handle
  readonly #events = new Events()
  readonly #commands = new Commands()
  readonly #doors = new Map<number, Door>()
  /** What is remembered of a connection between an answer and its end, by thread and slot. */
  readonly #known: (Known | undefined)[][]
  /** Who waits for the end of a splice, by its mark. */
  readonly #spliced = new Map<number, (spliced: Spliced) => void>()
  #nextMark = 1
  /** For what JavaScript carries under the same rates. */
  readonly #deadlines = new Deadlines()
  readonly #closed: InEveryThread
  readonly #noRoom: (code: string) => void
  #turnedAway = 0
  #closing: Promise<void> | undefined
  #inBatch = false

  constructor({ addon, log, threads = availableParallelism() }: NativeEngineOptions) {
    this.#addon = addon
    this.#log = log
    this.#threads = Math.min(threads, THREADS_MAX)
    this.#known = Array.from({ length: this.#threads }, () => [])
    this.#noRoom = seldom(systemClock, (code) => log.warn("accept-failed", { code, turnedAway: this.#turnedAway }))
    this.#closed = new InEveryThread(this.#threads)
    this.#handle = addon.open(this.#threads, this.#events.exchange, (bytes) => this.#take(bytes))
  }

  async listen(options: ListenOptions, decide: Decide): Promise<OpenListener> {
    if (this.#closing) throw new FaultError(fault("BIND_REFUSED", "the engine is closed"))
    const given = options.given ?? []
    const first = this.#open(options, decide, given.slice(0, this.#threads))
    // A relay with more threads has left more queues than we have threads for one listener.
    const more: OpenListener[] = []
    for (let at = this.#threads; at < given.length; at += this.#threads)
      more.push(this.#open(options, decide, given.slice(at, at + this.#threads)))
    return together(first, more)
  }

  /** `given`: one for each thread at most. */
  #open(options: ListenOptions, decide: Decide, given: readonly number[]): OpenListener {
    const index = this.#freeIndex()
    const asksAtAccept = options.ask === "accept" ? 1 : 0
    const decideMs = milliseconds(options.decideDeadlineMs)
    const descriptors = new Int32Array(this.#threads).fill(NO_DESCRIPTOR)
    descriptors.set(given)
    const where = addressBytes(options.bind)
    const port = this.#addon.listen(this.#handle, index, where, decideMs, asksAtAccept, descriptors)
    if (port < 0) throw bindRefused(options.name, options.bind, getSystemErrorName(port))
    const door = newDoor(options, decide, this.#threads)
    this.#doors.set(index, door)
    this.#addon.hold(this.#handle, 1)
    return {
      bound: { address: options.bind.address, port },
      descriptors: [...descriptors],
      stop: () => this.#stop(index, door),
      drained: () => this.#drain(index, door),
    }
  }

  splice(left: Duplex, right: Duplex, { idleDeadlineMs = 0, meter }: EngineSpliceOptions = {}): Promise<Spliced> {
    const plain = this.#closing ? undefined : this.#descriptorsOf(left, right)
    if (!plain) return splice(left, right, { meter, ...(idleDeadlineMs > 0 && { idleDeadlineMs }) })
    const mark = this.#nextMark++
    const order = { ...plain, idleDeadlineMs, mark, meter: indexOf(meter) }
    this.#commands.splice(mark % this.#threads, order)
    if (!this.#inBatch) this.#flush()
    const over = Promise.withResolvers<Spliced>()
    this.#spliced.set(mark, over.resolve)
    return over.promise.finally(() => {
      for (const stream of [left, right]) stream.on("error", () => {}).destroy() // the engine has ended the connection
    })
  }

  /** Descriptors of the engine's own; `undefined` where one end is no plain socket, or there are no descriptors left. */
  #descriptorsOf(left: Duplex, right: Duplex): Omit<SpliceOrder, "idleDeadlineMs" | "mark" | "meter"> | undefined {
    const [from, to] = [plainSocket(left), plainSocket(right)]
    if (!from || !to) return undefined
    const visitor = this.#addon.duplicate(from.descriptor)
    if (visitor < 0) return undefined
    const backend = this.#addon.duplicate(to.descriptor)
    if (backend >= 0) return { visitor, backend, forBackend: from.take(), forVisitor: to.take() }
    closeSync(visitor)
    return undefined
  }

  meter(): Meter {
    return new NativeMeter(this.#addon, this.#handle, this.#deadlines)
  }

  close(): Promise<void> {
    if (!this.#closing) {
      this.#closing = this.#closed.promise.then(() => this.#addon.join(this.#handle))
      this.#addon.hold(this.#handle, 1)
      this.#tellThreads(COMMAND.close)
    }
    return this.#closing
  }

  #stop(index: number, door: Door): Promise<void> {
    if (!door.stopping && !this.#closing) {
      door.stopping = true
      this.#tellThreads(COMMAND.stop, index)
    }
    return door.stopped.promise
  }

  #drain(index: number, door: Door): Promise<void> {
    if (!door.drained && !this.#closing && this.#doors.get(index) === door) {
      door.drained = new InEveryThread(this.#threads)
      this.#tellThreads(COMMAND.drain, index)
    }
    return door.drained?.promise ?? Promise.resolve()
  }

  #tellThreads(command: number, listener = 0): void {
    for (let thread = 0; thread < this.#threads; thread++) {
      this.#commands.about(command, { connection: thread * 2 ** SLOT_BITS, generation: 0 }, listener)
    }
    if (!this.#inBatch) this.#flush()
  }

  #freeIndex(): number {
    let index = 0
    while (this.#doors.has(index)) index += 1
    if (index < LISTENERS_MAX) return index
    throw new FaultError(fault("BIND_REFUSED", `more than ${LISTENERS_MAX} listeners`))
  }

  #take(bytes: number): void {
    this.#inBatch = true
    this.#events.each(bytes, this.#look)
    this.#inBatch = false
    this.#flush()
  }

  readonly #look = (): void => {
    const events = this.#events
    switch (events.kind) {
      case EVENT.asked:
        return this.#asked()
      case EVENT.ended:
        return this.#ended({ how: events.how, durationMs: events.endedAfterMs })
      case EVENT.adopted:
        return this.#adopted()
      case EVENT.stopped:
        return this.#doors.get(events.listener)?.stopped.andOne()
      case EVENT.drained:
        return this.#drained(events.listener)
      case EVENT.gone:
        return this.#gone(events.listener)
      case EVENT.full:
        this.#turnedAway += events.turnedAway
        return this.#noRoom("EMFILE")
      case EVENT.closed:
        return this.#closed.andOne()
      default:
        throw new Error(`the native engine told an event that we do not know: ${events.kind}`)
    }
  }

  #asked(): void {
    const { remote, local, received, finished, connection, generation, listener } = this.#events
    const door = this.#doors.get(listener)
    if (door) this.#answer({ connection, generation }, this.#decide(door, { remote, local, received, finished }))
  }

  #decide(door: Door, arrival: Arrival): Decision {
    try {
      return door.decide(arrival)
    } catch (error) {
      this.#log.error("deciding failed", { listener: door.options.name, detail: String(error) })
      return { do: "reset", why: "deciding failed" }
    }
  }

  #answer(id: ConnectionId, decision: Decision): void {
    switch (decision.do) {
      case "wait":
        return this.#commands.about(COMMAND.wait, id)
      case "answer":
        return this.#commands.answer(id, decision.bytes)
      case "reset":
        return this.#commands.about(COMMAND.reset, id)
      case "adopt":
        this.#remember(id.connection, { tag: undefined, adopted: decision.adopted, forget: undefined })
        return this.#commands.adopt(id, decision.skipBytes)
      case "carry":
        if (decision.signal?.aborted) this.#commands.about(COMMAND.cancel, id)
        else this.#commands.carry(id, decision, indexOf(decision.meter))
        return this.#know(id, decision.tag, decision.signal)
      default:
        unreachable(decision)
    }
  }

  #know(id: ConnectionId, tag: unknown, signal: AbortSignal | undefined): void {
    if (!signal) return this.#remember(id.connection, { tag, adopted: undefined, forget: undefined })
    const cancel = (): void => {
      this.#commands.about(COMMAND.cancel, id)
      if (!this.#inBatch) this.#flush()
    }
    signal.addEventListener("abort", cancel, { once: true })
    const forget = (): void => signal.removeEventListener("abort", cancel)
    this.#remember(id.connection, { tag, adopted: undefined, forget })
  }

  /** Slots are few and used again, so that coming and going allocates nothing, as it would in a map. */
  #remember(connection: number, known: Known | undefined): void {
    const ofThread = this.#known[connection >>> SLOT_BITS]
    if (ofThread) ofThread[connection & SLOT_MASK] = known
  }

  #ended({ how, durationMs }: Pick<Ended, "how" | "durationMs">): void {
    const { listener, connection, remote, local, bytesToBackend, bytesToVisitor, mark } = this.#events
    if (listener === LISTENER_OF_SPLICED) {
      this.#spliced.get(mark)?.({
        leftToRightBytes: bytesToBackend,
        rightToLeftBytes: bytesToVisitor,
        how: SPLICED_HOW[how],
      })
      return void this.#spliced.delete(mark)
    }
    const known = this.#forget(connection)
    const door = this.#doors.get(listener)
    if (!door) return
    const { name, ended } = door.options
    const tag = known?.tag
    ended({ listener: name, remote, local: local.address, tag, bytesToBackend, bytesToVisitor, durationMs, how })
  }

  #adopted(): void {
    const { listener, connection, remote, local, descriptor, adoptedAfterMs } = this.#events
    const known = this.#forget(connection)
    const unread = Buffer.from(this.#events.unread) // a copy: the exchange is used again
    const socket = new Socket({ fd: descriptor, allowHalfOpen: true, readable: true, writable: true })
    if (unread.length > 0) socket.unshift(unread)
    const door = this.#doors.get(listener)
    if (!known?.adopted || !door) return void socket.destroy()
    known.adopted(socket)
    const nothing = { tag: undefined, bytesToBackend: 0, bytesToVisitor: 0 }
    const ended = { remote, local: local.address, durationMs: adoptedAfterMs, how: "adopted", ...nothing } as const
    door.options.ended({ listener: door.options.name, ...ended })
  }

  #forget(connection: number): Known | undefined {
    const known = this.#known[connection >>> SLOT_BITS]?.[connection & SLOT_MASK]
    if (!known) return undefined
    this.#remember(connection, undefined)
    known.forget?.()
    return known
  }

  #drained(listener: number): void {
    const door = this.#doors.get(listener)
    door?.drained?.andOne()
    if (door?.drained?.isDone) door.drained = undefined
  }

  #gone(listener: number): void {
    const door = this.#doors.get(listener)
    door?.gone.andOne()
    if (!door?.gone.isDone) return
    door.drained?.allDone() // a thread that had nothing to forget was not asked in time
    this.#doors.delete(listener)
    if (this.#doors.size === 0 && !this.#closing) this.#addon.hold(this.#handle, 0)
  }

  #flush(): void {
    this.#commands.flush((commands, bytes) => {
      if (!this.#closed.isDone) this.#addon.post(this.#handle, commands, bytes)
    })
  }
}

/** What the ends of a visitor's connection are to two connections that were spliced. */
const SPLICED_HOW: Readonly<Record<EndedHow, Spliced["how"]>> = {
  "both-finished": "both-finished",
  "visitor-reset": "left-broke",
  "backend-reset": "right-broke",
  idle: "idle",
  "connect-failed": "cancelled",
  "connect-timeout": "cancelled",
  undecided: "cancelled",
  answered: "cancelled",
  "reset-by-us": "cancelled",
  cancelled: "cancelled",
  adopted: "cancelled",
}

/** What commands call it; a meter of another engine is none of ours. */
function indexOf(meter: Meter | undefined): number | undefined {
  return meter instanceof NativeMeter ? meter.index : undefined
}

/** Something that every thread has to say once. */
class InEveryThread {
  readonly #all = Promise.withResolvers<void>()
  #threadsLeft: number

  constructor(threads: number) {
    this.#threadsLeft = threads
  }

  get promise(): Promise<void> {
    return this.#all.promise
  }

  get isDone(): boolean {
    return this.#threadsLeft === 0
  }

  andOne(): void {
    this.#threadsLeft -= 1
    if (this.#threadsLeft === 0) this.#all.resolve()
  }

  allDone(): void {
    this.#all.resolve()
  }
}

/** A listener, until every thread has forgotten it. */
type Door = {
  readonly options: ListenOptions
  readonly decide: Decide
  stopping: boolean
  readonly stopped: InEveryThread
  drained: InEveryThread | undefined
  readonly gone: InEveryThread
}

function newDoor(options: ListenOptions, decide: Decide, threads: number): Door {
  const inEveryThread = (): InEveryThread => new InEveryThread(threads)
  return { options, decide, stopping: false, stopped: inEveryThread(), drained: undefined, gone: inEveryThread() }
}

type Known = {
  readonly tag: unknown
  readonly forget: (() => void) | undefined
  readonly adopted: ((socket: Socket) => void) | undefined
}
