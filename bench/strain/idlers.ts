/** A thread of its own that connects `count` visitors who say nothing, or a dot now and then, until all were sent away. */
import { connect, type Socket } from "node:net"
import { setTimeout as sleep } from "node:timers/promises"
import { parentPort, workerData } from "node:worker_threads"

const { port, count } = workerData as { port: number; count: number }
const DRIP_EVERY_MS = 500
/** Ours: as many at once as no queue on the way refuses. */
const AT_ONCE = 200

const inside = new Set<Socket>()
for (let number = 0; number < count; number += 1) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true })
  socket.on("connect", () => inside.add(socket))
  socket.on("error", () => {}) // followed by "close"
  socket.on("close", () => inside.delete(socket))
  const drip = number % 2 === 0 && setInterval(() => socket.writable && socket.write("."), DRIP_EVERY_MS)
  if (drip) socket.on("close", () => clearInterval(drip))
  if (number % AT_ONCE === 0) await sleep(5)
}
while (inside.size < count) await sleep(5)
parentPort?.postMessage("inside")
while (inside.size > 0) await sleep(5)
parentPort?.postMessage("gone")
