/**
 * A visitor's and a backend's socket, spliced. Each direction ends on its own (RFC 9293 §3.6.1: who has finished sending
 * still waits for the answer), and a reset on one side becomes a reset on the other.
 */
import type { Socket } from "node:net"
import type { Deadlines, Expiring } from "./deadlines.ts"
import type { EndedHow } from "./engine.ts"
import { Flow } from "./flow.ts"
import type { ReadBuffers } from "./read-buffers.ts"
import { reset } from "./reset.ts"

export type CarriageOptions = {
  readonly visitor: Socket
  readonly backend: Socket
  readonly idleDeadlineMs: number
  readonly buffers: ReadBuffers
  readonly deadlines: Deadlines
  /** The first reason for which it ends. */
  readonly ending: (how: EndedHow) => void
  readonly backendClosed: () => void
}

export class Carriage implements Expiring {
  dueTick = 0
  readonly toBackend: Flow
  readonly toVisitor: Flow
  readonly #options: CarriageOptions
  #movedTick = 0

  /** The events of the visitor's socket are told by whoever owns it; those of the backend's are heard here. */
  constructor(options: CarriageOptions) {
    const { visitor, backend, buffers, deadlines } = options
    this.#options = options
    const touch = (): void => {
      this.#movedTick = deadlines.tick
    }
    this.toBackend = new Flow(visitor, backend, buffers, touch)
    this.toVisitor = new Flow(backend, visitor, buffers, touch)
    deadlines.set(this, options.idleDeadlineMs)
    touch()
    backend.on("end", () => this.toVisitor.finish())
    backend.on("error", () => this.#backendFailed())
    backend.on("close", () => options.backendClosed())
  }

  visitorFinished(): void {
    this.toBackend.finish()
  }

  visitorFailed(): void {
    this.#options.ending("visitor-reset")
    reset(this.#options.backend)
  }

  cut(how: EndedHow): void {
    this.#options.ending(how)
    reset(this.#options.visitor)
    reset(this.#options.backend)
  }

  /** Both sockets are closed. */
  release(): void {
    this.#options.deadlines.forget(this)
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
    this.#options.ending("backend-reset")
    reset(this.#options.visitor)
  }
}
