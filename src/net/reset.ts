/** Ending a connection so that the other side learns that it was cut, and not that everything was said. */
import type { Socket } from "node:net"

/** Sends RST (RFC 9293 §3.5.2) and closes; safe at any time. */
export function reset(socket: Socket): void {
  if (socket.destroyed) return
  // libuv refuses to reset while a shutdown is under way, and Node would then leave the descriptor open. A shutdown begins
  // when everything was written: behind a reader who has stopped there is none yet, and waiting for it could last for ever.
  const isShuttingDown = socket.writableEnded && !socket.writableFinished && socket.writableLength === 0
  if (isShuttingDown) socket.once("finish", () => reset(socket))
  else socket.resetAndDestroy()
}
