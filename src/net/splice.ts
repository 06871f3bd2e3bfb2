/**
 * Splices two streams of which at least one is not a plain TCP socket: a tunnel's stream, a TLS socket, an adopted
 * connection. Two plain sockets that were not read yet are the engine's business, which does it faster.
 *
 * Each direction ends on its own (RFC 9293 §3.6.1); what breaks on one side is broken on the other.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Counted, Meter } from "./meter.ts"
import { Pump } from "./pump.ts"
import { reset } from "./reset.ts"

export type Spliced = {
  readonly leftToRightBytes: number
  readonly rightToLeftBytes: number
  readonly how: "both-finished" | "left-broke" | "right-broke" | "idle" | "cancelled"
}

export type SpliceOptions = {
  /** Silence in both directions for this long ends it. */
  readonly idleDeadlineMs?: number
  /** Counts it, the left side as the visitor, and may hold it back. */
  readonly meter?: Meter | undefined
  /** Cuts it when it fires. */
  readonly signal?: AbortSignal
}

/** Resolves when both streams are closed; never rejects. */
export function splice(left: Duplex, right: Duplex, options: SpliceOptions = {}): Promise<Spliced> {
  const { meter } = options
  return new Promise((resolve) => {
    const [rightward, leftward] = [new Pump(left, right, meter), new Pump(right, left, meter)]
    const counted = countedAs(rightward, leftward)
    let how: Spliced["how"] | undefined
    let open = 2
    const end = (why: Spliced["how"]) => {
      how ??= why
      cut(left)
      cut(right)
    }
    const closed = () => {
      open -= 1
      if (open > 0) return
      options.signal?.removeEventListener("abort", cancelled)
      meter?.leave(counted)
      rightward.release()
      leftward.release()
      const [leftToRightBytes, rightToLeftBytes] = [rightward.movedBytes, leftward.movedBytes]
      resolve({ leftToRightBytes, rightToLeftBytes, how: how ?? "both-finished" })
    }
    const cancelled = () => end("cancelled")
    options.signal?.addEventListener("abort", cancelled)
    limitSilence([left, right], options.idleDeadlineMs, () => end("idle"))
    whenGone(left, () => end("left-broke"), closed)
    whenGone(right, () => end("right-broke"), closed)
    meter?.enter(counted)
    rightward.start()
    leftward.start()
    if (options.signal?.aborted) cancelled()
  })
}

/** The left side is the visitor's. */
function countedAs(rightward: Pump, leftward: Pump): Counted {
  return {
    meterPlace: 0,
    get bytesToBackend() {
      return rightward.movedBytes
    },
    get bytesToVisitor() {
      return leftward.movedBytes
    },
  }
}

/** Tells a stream that broke (an error, or gone before both directions ended) from one that came to its end. */
function whenGone(stream: Duplex, broke: () => void, closed: () => void): void {
  stream.on("error", broke)
  stream.once("close", () => {
    if (!stream.readableEnded || !stream.writableFinished) broke()
    closed()
  })
}

function limitSilence(streams: readonly Duplex[], idleDeadlineMs: number | undefined, silent: () => void): void {
  if (idleDeadlineMs === undefined) return
  const socket = streams.find((stream) => stream instanceof Socket) // bytes of both directions pass it, so one is enough
  socket?.setTimeout(idleDeadlineMs, silent)
}

/** A socket's other end learns that it was cut (RST); another stream's learns it in its own way (RST_STREAM, a TLS alert). */
function cut(stream: Duplex): void {
  if (stream.destroyed) return
  if (stream instanceof Socket && "encrypted" in stream === false) reset(stream)
  else stream.destroy(new Error("the other side broke")) // without one, HTTP/2 says NO_ERROR, and that reads as a clean end
}
