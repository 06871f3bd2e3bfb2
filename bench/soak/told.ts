/**
 * What a visitor of the soak asks of the service behind the relay, as one line behind the hello, and the bytes that each
 * then sends: a stream that follows from a seed, so that both sides know every byte without having been told.
 */
import { createCipheriv, createHash } from "node:crypto"
import type { Socket } from "node:net"

export type Told = {
  readonly seed: number
  readonly bytesUp: number
  readonly bytesDown: number
  /** Where the service stops in the middle, by a reset. */
  readonly serviceResetsAt?: number
  /** Whether the service sends FIN before it has heard everything. */
  readonly serviceFinishesFirst: boolean
}

/** Behind the hello, and never inside one. */
export const LINE_BEGIN = "\n{"

export function lineOf(told: Told): string {
  return `\n${JSON.stringify(told)}\n`
}

/** `count` bytes of the stream of `seed`, in pieces; another direction is another stream. */
export function* streamOf(seed: number, direction: "up" | "down", count: number): Generator<Buffer> {
  const key = createHash("sha256").update(`${seed} ${direction}`).digest()
  const cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16))
  for (let left = count; left > 0;) {
    const piece = Math.min(left, 1 + ((seed * 7919 + left * 104_729) % PIECE_BYTES_MAX))
    yield cipher.update(Buffer.alloc(piece))
    left -= piece
  }
}

const PIECE_BYTES_MAX = 128 * 1024

/** Compares what arrives with what should. */
export class Expected {
  readonly #cipher: ReturnType<typeof createCipheriv>
  heardBytes = 0
  wrong = false

  constructor(seed: number, direction: "up" | "down") {
    const key = createHash("sha256").update(`${seed} ${direction}`).digest()
    this.#cipher = createCipheriv("aes-256-ctr", key, Buffer.alloc(16))
  }

  hear(bytes: Buffer): void {
    this.wrong ||= !this.#cipher.update(Buffer.alloc(bytes.length)).equals(bytes)
    this.heardBytes += bytes.length
  }
}

/** Writes a stream as it is taken; `at` is called before each piece and may end it by `false`. */
export async function pour(
  socket: Socket,
  pieces: Iterable<Buffer>,
  at: (sentBytes: number) => boolean,
): Promise<void> {
  let sentBytes = 0
  for (const piece of pieces) {
    if (socket.destroyed || !at(sentBytes)) return
    if (!socket.write(piece)) await drained(socket)
    sentBytes += piece.length
  }
}

function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done).off("close", done)
      resolve()
    }
    socket.on("drain", done).on("close", done)
  })
}
