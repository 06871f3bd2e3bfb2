/** The worker thread on which the spool's database lives: one batch of calls in, the answers to reads and to writes out. */
import { flushCompileCache } from "node:module"
import { parentPort, workerData } from "node:worker_threads"
import { FaultError, fault } from "../faults/faults.ts"
import { SpoolDatabase, type Answer, type Call, type DatabaseOptions } from "./spool-database.ts"
import { isWrite } from "./spool-writes.ts"

/** `open` comes once and first. */
export type FromWorker =
  | { readonly kind: "open"; readonly answer: Answer }
  | { readonly kind: "answers"; readonly to: "reads" | "writes"; readonly answers: readonly Answer[] }

if (!parentPort) throw new Error("this file is started as a worker thread by sqlite-spool.ts")
flushCompileCache() // for the next start, if this process keeps what it compiles: who ends by kill -9 writes nothing
const port = parentPort
const database = openDatabase()

port.on("message", (calls: readonly Call[] | "close") => {
  if (calls === "close") {
    database?.close()
    port.close()
    return
  }
  // Who only reads need not wait for the disk: what he may rely on was answered before he asked.
  const reads = calls.filter((call) => !isWrite(call))
  if (reads.length > 0) tell({ kind: "answers", to: "reads", answers: database?.run(reads) ?? [] })
  const writes = calls.filter(isWrite)
  if (writes.length > 0) tell({ kind: "answers", to: "writes", answers: database?.run(writes) ?? [] })
})

function openDatabase(): SpoolDatabase | undefined {
  try {
    const opened = new SpoolDatabase(workerData as DatabaseOptions) // sqlite-spool.ts gives nothing else
    tell({ kind: "open", answer: { value: undefined } })
    return opened
  } catch (error) {
    const why = error instanceof FaultError ? error.fault : fault("SPOOL_FAILED", String(error))
    tell({ kind: "open", answer: { fault: why } })
    return undefined
  }
}

function tell(message: FromWorker): void {
  port.postMessage(message, message.kind === "answers" ? message.answers.flatMap(contentIn) : [])
}

/** Content that was read goes over without a copy, and so does the memory of what was written. */
function contentIn(answer: Answer): ArrayBuffer[] {
  const value = "value" in answer ? answer.value : undefined
  if (value instanceof Uint8Array) return [value.buffer as ArrayBuffer] // of readDraft and addChunk, a Piece
  const read = value as ReturnType<SpoolDatabase["readChunk"]> | { readonly bytes?: number }
  return typeof read === "object" && typeof read.bytes === "object" ? [read.bytes.buffer] : []
}
