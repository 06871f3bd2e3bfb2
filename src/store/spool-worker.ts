/** The worker thread on which the spool's database lives: one batch of calls in, one list of answers out. */
import { parentPort, workerData } from "node:worker_threads"
import { FaultError, fault } from "../faults/faults.ts"
import { SpoolDatabase, type Answer, type Call, type DatabaseOptions } from "./spool-database.ts"

/** `open` comes once and first. */
export type FromWorker =
  { readonly kind: "open"; readonly answer: Answer } | { readonly kind: "answers"; readonly answers: readonly Answer[] }

if (!parentPort) throw new Error("this file is started as a worker thread by sqlite-spool.ts")
const port = parentPort
const database = openDatabase()

port.on("message", (calls: readonly Call[] | "close") => {
  if (calls === "close") {
    database?.close()
    port.close()
    return
  }
  tell({ kind: "answers", answers: database?.run(calls) ?? [] })
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

/** Content that was read goes over without a copy. */
function contentIn(answer: Answer): ArrayBuffer[] {
  const value = "value" in answer ? answer.value : undefined
  const read = value as ReturnType<SpoolDatabase["readChunk"]> | { readonly bytes?: number }
  return typeof read === "object" && typeof read.bytes === "object" ? [read.bytes.buffer] : []
}
