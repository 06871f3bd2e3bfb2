/** A service whose queue is full: it neither accepts nor refuses, so that a dial hears nothing until its deadline. */
import { connect } from "node:net"
import { once } from "node:events"
import { setTimeout as sleep } from "node:timers/promises"
import { Worker } from "node:worker_threads"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { at } from "./loopback.ts"

/** A thread that listens with the shortest queue and then stands still, so that nothing is ever accepted. */
const DEAF = `
  const { parentPort } = require("node:worker_threads")
  const server = require("node:net").createServer().listen({ host: "127.0.0.1", port: 0, backlog: 1 }, () => {
    parentPort.postMessage(server.address().port)
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
  })
`
/** More than fit into a queue of one. */
const CALLERS = 6
const SETTLE_MS = 100

export type DeafBackend = { readonly at: SocketAddress; close(): Promise<void> }

export async function deafBackend(): Promise<DeafBackend> {
  const worker = new Worker(DEAF, { eval: true })
  const [port] = (await once(worker, "message")) as [number] // the only message that DEAF sends
  const callers = Array.from({ length: CALLERS }, () => connect({ host: "127.0.0.1", port }).on("error", () => {}))
  await sleep(SETTLE_MS)
  return {
    at: at("127.0.0.1", port),
    async close() {
      for (const caller of callers) caller.destroy()
      await worker.terminate()
    },
  }
}
