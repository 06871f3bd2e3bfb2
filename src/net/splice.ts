/**
 * Splices two streams of which at least one is not a plain TCP socket: a tunnel's stream, a TLS socket, an adopted
 * connection. Two plain sockets that were not read yet are the engine's business, which does it faster.
 *
 * Each direction ends on its own (RFC 9293 §3.6.1); what breaks on one side is broken on the other.
 */
import { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { reset } from "./reset.ts"

export type Spliced = {
  readonly leftToRightBytes: number
  readonly rightToLeftBytes: number
  readonly how: "both-finished" | "left-broke" | "right-broke" | "idle" | "cancelled"
}

export type SpliceOptions = {
  /** Silence in both directions for this long ends it. */
  readonly idleDeadlineMs?: number
  /** Cuts it when it fires. */
  readonly signal?: AbortSignal
}

/** Resolves when both streams are closed; never rejects. */
export function splice(left: Duplex, right: Duplex, options: SpliceOptions = {}): Promise<Spliced> {
  const counts = { left: 0, right: 0 }
  left.on("data", (piece: Uint8Array) => (counts.left += piece.length))
  right.on("data", (piece: Uint8Array) => (counts.right += piece.length))
  return new Promise((resolve) => {
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
      resolve({ leftToRightBytes: counts.left, rightToLeftBytes: counts.right, how: how ?? "both-finished" })
    }
    const cancelled = () => end("cancelled")
    options.signal?.addEventListener("abort", cancelled)
    limitSilence([left, right], options.idleDeadlineMs, () => end("idle"))
    whenGone(left, () => end("left-broke"), closed)
    whenGone(right, () => end("right-broke"), closed)
    left.pipe(right) // which ends the writing side behind the last byte, and only that
    right.pipe(left)
    if (options.signal?.aborted) cancelled()
  })
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
  else stream.destroy()
}
