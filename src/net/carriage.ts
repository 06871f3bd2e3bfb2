/**
 * A visitor's and a backend's socket, spliced. Each direction ends on its own (RFC 9293 §3.6.1: who has finished sending
 * still waits for the answer), and a reset on one side becomes a reset on the other.
 */
import type { Socket } from "node:net"
import type { Deadlines, Expiring } from "./deadlines.ts"
import type { EndedHow } from "./engine.ts"
import { Flow, type FlowOwner } from "./flow.ts"
import type { Counted, Meter } from "./meter.ts"
import type { ReadBuffers } from "./read-buffers.ts"
import { reset } from "./reset.ts"

/** The visit whose connection is carried. */
export interface Carried {
  /** Why it ends; the first reason counts. */
  ending(how: EndedHow): void
  backendClosed(): void
}

export type CarriageOptions = {
  readonly visitor: Socket
  readonly backend: Socket
  readonly idleDeadlineMs: number
  readonly buffers: ReadBuffers
  readonly deadlines: Deadlines
  /** What counts it and may hold it back. */
  readonly meter: Meter | undefined
}

export class Carriage implements Expiring, FlowOwner, Counted {
  dueTick = 0
  slotPlace = 0
  meterPlace = 0
  readonly toBackend: Flow
  readonly toVisitor: Flow
  readonly #carried: Carried
  readonly #options: CarriageOptions
  #movedTick: number
  #directionsFinished = 0

  /** The events of the visitor's socket are told by whoever owns it; those of the backend's are heard here. */
  constructor(options: CarriageOptions, carried: Carried) {
    const { visitor, backend, buffers, deadlines, meter } = options
    this.#options = options
    this.#carried = carried
    this.toBackend = new Flow({ from: visitor, to: backend, buffers, owner: this, meter })
    this.toVisitor = new Flow({ from: backend, to: visitor, buffers, owner: this, meter })
    meter?.enter(this)
    this.#movedTick = deadlines.tick
    deadlines.set(this, options.idleDeadlineMs)
    backend.on("end", () => this.toVisitor.finish())
    backend.on("error", () => this.#backendFailed())
    backend.on("close", () => carried.backendClosed())
  }

  get bytesToBackend(): number {
    return this.toBackend.sentBytes
  }

  get bytesToVisitor(): number {
    return this.toVisitor.sentBytes
  }

  /** Sends what was read before there was a backend, and begins. */
  start(first: Uint8Array): void {
    this.#options.meter?.charge(first.length)
    this.toBackend.start(first)
  }

  touch(): void {
    this.#movedTick = this.#options.deadlines.tick
  }

  finished(to: Socket): void {
    this.#directionsFinished += 1
    if (this.#directionsFinished === 1) return void to.end()
    // Both have heard everything, so closing is all that is left to do; it sends the second FIN.
    this.#options.visitor.destroy()
    this.#options.backend.destroy()
  }

  visitorFailed(): void {
    this.#carried.ending("visitor-reset")
    reset(this.#options.backend)
  }

  cut(how: EndedHow): void {
    this.#carried.ending(how)
    reset(this.#options.visitor)
    reset(this.#options.backend)
  }

  /** Both sockets are closed. */
  release(): void {
    this.#options.deadlines.forget(this)
    this.#options.meter?.leave(this)
    this.toBackend.release()
    this.toVisitor.release()
  }

  expired(): void {
    const { deadlines, idleDeadlineMs } = this.#options
    const leftTicks = deadlines.ticks(idleDeadlineMs) - (deadlines.tick - this.#movedTick)
    if (leftTicks > 0) deadlines.set(this, leftTicks * deadlines.resolutionMs)
    else this.cut("idle")
  }

  #backendFailed(): void {
    this.#carried.ending("backend-reset")
    reset(this.#options.visitor)
  }
}
