/** Fills everything between a sender and a reader who has stopped. */
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import type { Peer } from "./peer.ts"

const PIECE_BYTES = 1024 * 1024

/** Sends until nothing more is taken; says how much was. */
export async function fill(sender: Peer): Promise<number> {
  const piece = randomBytes(PIECE_BYTES)
  for (;;) {
    if (sender.socket.write(piece)) continue
    const moved = await Promise.race([once(sender.socket, "drain").then(() => true), sleep(400).then(() => false)])
    if (!moved) return sender.socket.bytesWritten - sender.socket.writableLength
  }
}
