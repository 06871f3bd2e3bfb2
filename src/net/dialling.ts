/** One attempt to reach a backend: its addresses in order, each with an equal share of the deadline. */
import { connect, type OnReadOpts, type Socket } from "node:net"
import type { SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { Deadlines, Expiring } from "./deadlines.ts"
import { SPLICED_HIGH_WATER_MARK_BYTES } from "./read-buffers.ts"

/** Ours: how long a dial waits before it asks for a descriptor again. */
const DESCRIPTOR_RETRY_MS = 100

export type DialOptions = {
  /** Tried in order until one accepts. */
  readonly to: readonly [SocketAddress, ...SocketAddress[]]
  /** For all of them together. */
  readonly deadlineMs: number
  /** The address of ours to leave from; otherwise the system chooses one. */
  readonly from?: IpAddress
  /** Buffers of ours to read into; otherwise the socket reads as Node does. */
  readonly onread?: OnReadOpts
}

export type Dialled =
  | { readonly kind: "connected"; readonly socket: Socket; readonly to: SocketAddress }
  | { readonly kind: "connect-failed" | "connect-timeout"; readonly detail: string }

export class Dialling implements Expiring {
  dueTick = 0
  slotPlace = 0
  readonly #options: DialOptions
  readonly #deadlines: Deadlines
  readonly #done: (dialled: Dialled) => void
  #next = 0
  #addressUntilTick = 0
  #socket: Socket | undefined

  /** `done` is called once, never before the constructor returned, and not after `cancel`. */
  constructor(options: DialOptions, deadlines: Deadlines, done: (dialled: Dialled) => void) {
    this.#options = options
    this.#deadlines = deadlines
    this.#done = done
    this.#dialNext({ kind: "connect-failed", detail: "no address" })
  }

  cancel(): void {
    this.#drop()
  }

  expired(): void {
    const waitedForDescriptor = this.#socket === undefined
    if (waitedForDescriptor && this.#deadlines.tick < this.#addressUntilTick) return this.#dial()
    this.#drop()
    this.#dialNext({ kind: "connect-timeout", detail: "no answer" })
  }

  /** On to the next address, or to the end with what the last one came to. */
  #dialNext(last: Dialled): void {
    if (this.#next >= this.#options.to.length) return this.#done(last)
    this.#next += 1
    const shareMs = this.#options.deadlineMs / this.#options.to.length
    this.#addressUntilTick = this.#deadlines.tick + this.#deadlines.ticks(shareMs)
    this.#dial()
  }

  #dial(): void {
    const to = this.#options.to[this.#next - 1]
    if (!to) return
    const { onread, from } = this.#options
    const source = from !== undefined && { localAddress: from }
    const ours = onread && { onread, writableHighWaterMark: SPLICED_HIGH_WATER_MARK_BYTES }
    const socket = connect({ host: to.address, port: to.port, allowHalfOpen: true, noDelay: true, ...source, ...ours })
    this.#socket = socket
    this.#deadlines.set(this, (this.#addressUntilTick - this.#deadlines.tick) * this.#deadlines.resolutionMs)
    const failed = (error: NodeJS.ErrnoException): void => this.#failed(error)
    socket.on("error", failed)
    socket.on("connect", () => {
      this.#deadlines.forget(this)
      socket.off("error", failed)
      this.#done({ kind: "connected", socket, to })
    })
  }

  #failed(error: NodeJS.ErrnoException): void {
    this.#drop()
    // Not the backend's fault, and it passes: other connections end and give theirs back.
    if (error.code === "EMFILE" || error.code === "ENFILE") this.#deadlines.set(this, DESCRIPTOR_RETRY_MS)
    else this.#dialNext({ kind: "connect-failed", detail: error.code ?? error.message })
  }

  #drop(): void {
    this.#deadlines.forget(this)
    this.#socket?.removeAllListeners().on("error", ignore).destroy()
    this.#socket = undefined
  }
}

/** An abandoned attempt may still fail; nobody waits for it. */
function ignore(): void {}
