/** Ending a connection so that the other side learns that it was cut, and not that everything was said. */
import type { Socket } from "node:net"

/** Sends RST (RFC 9293 §3.5.2) and closes; safe at any time. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return
  // libuv refuses to reset while a shutdown is under way, and Node would then leave the descriptor open.
  if (socket.writableEnded && !socket.writableFinished) socket.once("finish", () => reset(socket))
  else socket.resetAndDestroy()
}
