/**
 * The data plane, as the rest of Waypost sees it: it accepts, reads the first bytes, asks what to do, and moves bytes
 * both ways until both directions have ended. It parses nothing and decides nothing. Two things implement it: the
 * JavaScript engine, which runs everywhere, and the native one, which is faster.
 */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { Spliced } from "./splice.ts"
import type { Meter } from "./meter.ts"

export interface Engine {
  readonly kind: "native" | "javascript"
  /**
   * Binds and listens. Rejects with a `FaultError` BIND_REFUSED that names the address and the remedy.
   * `decide` is called for every connection; it must not throw (if it does, that one connection is reset).
   */
  listen(options: ListenOptions, decide: Decide): Promise<OpenListener>
  /**
   * Takes two connections that are open already, with what each of their sockets has read and not given away, and moves
   * bytes until both have ended; never rejects. Nobody else may use them from then on; both are destroyed at the end.
   */
  splice(left: Duplex, right: Duplex, options?: EngineSpliceOptions): Promise<Spliced>
  /** Counts connections together, and may limit their rate: name it in `Carry`. It is the engine's own, and lives as long. */
  meter(): Meter
  /** Closes listeners and cuts every connection still carried. */
  close(): Promise<void>
}

export type EngineSpliceOptions = {
  readonly idleDeadlineMs?: number
  /** Made by the same engine; counts it, the left side as the visitor. */
  readonly meter?: Meter | undefined
}

export type ListenOptions = {
  /** For reports. */
  readonly name: string
  readonly bind: SocketAddress
  /** `accept`: ask at once, with no bytes (the server speaks first). `bytes`: ask when the visitor has said something. */
  readonly ask: "accept" | "bytes"
  /** From accept to a decision other than `wait`. */
  readonly decideDeadlineMs: number
  /** Descriptors that listen at `bind` already: taken over instead of binding. Nothing that waits in their queues is lost. */
  readonly given?: readonly number[]
  readonly ended: (report: Ended) => void
}

export interface OpenListener {
  /** As bound: the port is the real one where 0 was asked for. */
  readonly bound: SocketAddress
  /** Where it listens, until it is stopped: what another process can be given. Empty where Node does not say. */
  readonly descriptors: readonly number[]
  /** Accepts no more; connections that are carried go on. */
  stop(): Promise<void>
  /** Resolves when nothing is carried any more. */
  drained(): Promise<void>
}

/** A connection that waits for an answer. */
export type Arrival = {
  readonly remote: SocketAddress
  readonly local: SocketAddress
  /** Everything read so far, from the first byte. A view: copy what must outlive the call. */
  readonly received: Uint8Array
  /** The visitor will send nothing more. */
  readonly finished: boolean
}

export type Decide = (arrival: Arrival) => Decision

export type Decision =
  | { readonly do: "wait" } // for more bytes; asked again when they are there
  | Carry
  | { readonly do: "answer"; readonly bytes: Uint8Array; readonly why: string } // write, then close (a TLS alert)
  | { readonly do: "reset"; readonly why: string }
  | { readonly do: "adopt"; readonly skipBytes: number; readonly adopted: (socket: Socket) => void } // as an ordinary socket, bytes read given back

/** Connect, send `prefix`, replay `received` from `skipBytes` on, splice. */
export type Carry = {
  readonly do: "carry"
  /** Tried in order until one accepts. */
  readonly to: readonly [SocketAddress, ...SocketAddress[]]
  /** Sent to the backend before anything else: a PROXY header. */
  readonly prefix: Uint8Array
  /** How many of the received bytes were for us alone (a PROXY header) and are not replayed. */
  readonly skipBytes: number
  /** For all addresses together; each has an equal share. */
  readonly connectDeadlineMs: number
  readonly idleDeadlineMs: number
  /** Sent to the visitor if no backend accepts, before closing (a TLS alert). Empty: reset. */
  readonly onConnectFailure: Uint8Array
  /** Comes back in `Ended`; the engine does not look at it. */
  readonly tag: unknown
  /** Made by the same engine. */
  readonly meter?: Meter | undefined
  /** Cuts this connection when it fires. */
  readonly signal?: AbortSignal
}

/** One carried or refused connection, after it is gone. */
export type Ended = {
  readonly listener: string
  readonly remote: SocketAddress
  readonly local: IpAddress
  readonly tag: unknown
  /** Visitor to backend, as accepted by the backend's socket; prefix and replayed bytes count. */
  readonly bytesToBackend: number
  readonly bytesToVisitor: number
  readonly durationMs: number
  readonly how: EndedHow
}

export type EndedHow =
  | "both-finished" // FIN from each side: a clean end
  | "visitor-reset"
  | "backend-reset"
  | "idle"
  | "connect-failed" // refused or unreachable
  | "connect-timeout"
  | "undecided" // deadline before a decision, or the visitor left before it
  | "answered"
  | "reset-by-us"
  | "cancelled"
  | "adopted"
