/** The way to the spool's worker thread: one batch of calls is under way, what comes meanwhile waits and makes the next. */
import { Worker } from "node:worker_threads"
import { FaultError, fault, type Fault } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import type { Answer, Call, DatabaseOptions, SpoolDatabase } from "./spool-database.ts"
import type { FromWorker } from "./spool-worker.ts"
import { isWrite } from "./spool-writes.ts"

export class DatabaseThread {
  /** Rejects with the FaultError of SpoolDatabase's constructor. */
  readonly opened: Promise<void>
  readonly #log: Log
  #worker: Worker | undefined
  #waiting: Waiting[] = []
  #underWay: readonly Waiting[] = []
  #gone: Fault | undefined
  readonly #exited = Promise.withResolvers<void>()
  #closing = false

  /** `free`: when the folder may be opened; until then calls wait. */
  constructor(options: DatabaseOptions, log: Log, free?: Promise<void>) {
    this.#log = log
    const opening = Promise.withResolvers<void>()
    this.opened = opening.promise
    if (free) void free.then(() => this.#start(options, opening))
    else this.#start(options, opening)
    this.opened.catch(() => void this.#worker?.terminate())
  }

  #start(options: DatabaseOptions, { resolve, reject }: PromiseWithResolvers<void>): void {
    if (this.#gone) return // it was closed before there was anything to open
    const worker = new Worker(workerFile(), {
      workerData: options,
      execArgv: ["--disable-warning=ExperimentalWarning"], // node:sqlite is stable enough: docs/decisions.md
    })
    this.#worker = worker
    worker.once("exit", () => this.#exited.resolve())
    worker.on("message", (message: FromWorker) => {
      if (message.kind === "answers") this.#answered(message)
      else if ("value" in message.answer) resolve()
      else {
        this.#died(message.answer.fault)
        reject(new FaultError(message.answer.fault))
      }
    })
    worker.once("error", (error) => {
      this.#died(fault("SPOOL_FAILED", `the spool's thread died: ${error.message}`))
      reject(error)
    })
    worker.once("exit", () => this.#died(CLOSED))
    this.#send()
  }

  /** Calls a method of the database on its thread. Rejects with the FaultError that it answers. */
  call<M extends Call["method"]>(
    method: M,
    ...args: Parameters<SpoolDatabase[M]>
  ): Promise<ReturnType<SpoolDatabase[M]>> {
    return new Promise((resolve, reject) => {
      const settle = (answer: Answer): void => {
        // The thread calls exactly the method that is named, so its answer is that method's.
        if ("value" in answer) resolve(answer.value as ReturnType<SpoolDatabase[M]>)
        else reject(new FaultError(answer.fault))
      }
      const why = this.#gone ?? (this.#closing ? CLOSED : undefined)
      if (why) return settle({ fault: why })
      this.#waiting.push({ call: { method, args } as unknown as Call, settle }) // the parameters above say the same
      this.#send()
    })
  }

  /** Finishes what was asked before, then closes the file. */
  async close(): Promise<void> {
    this.#closing = true
    if (!this.#worker) return this.#died(CLOSED)
    this.#send()
    await this.#exited.promise
  }

  #send(): void {
    if (!this.#worker || this.#underWay.length > 0 || this.#gone) return
    if (this.#waiting.length === 0) {
      if (this.#closing) this.#worker.postMessage("close")
      return
    }
    this.#underWay = this.#waiting
    this.#waiting = []
    const calls = this.#underWay.map(({ call }) => call)
    this.#worker.postMessage(calls, calls.flatMap(contentOf))
  }

  #answered({ to, answers }: Extract<FromWorker, { kind: "answers" }>): void {
    const isMeant = ({ call }: Waiting): boolean => isWrite(call) === (to === "writes")
    const answered = this.#underWay.filter(isMeant)
    this.#underWay = this.#underWay.filter((one) => !isMeant(one))
    this.#send() // before the answers are worked on: the disk should not wait for us
    answered.forEach(({ settle }, index) => settle(answers[index] ?? { fault: fault("SPOOL_FAILED", "no answer") }))
  }

  #died(why: Fault): void {
    if (this.#gone) return
    this.#gone = why
    const left = [...this.#underWay, ...this.#waiting]
    this.#underWay = []
    this.#waiting = []
    if (left.length > 0) this.#log.error("spool-gone", { why: why.detail, unanswered: left.length })
    for (const { settle } of left) settle({ fault: why })
  }
}

const CLOSED = fault("SPOOL_FAILED", "the spool is closed")

type Waiting = { readonly call: Call; readonly settle: (answer: Answer) => void }

/** Content goes over without a copy. */
function contentOf(call: Call): ArrayBuffer[] {
  const bytes = call.method === "addChunk" ? call.args[2] : call.method === "commit" ? call.args[2].rest : undefined
  return bytes && bytes.length > 0 ? [bytes.buffer] : []
}

/** Beside this file: as TypeScript when run from source, as JavaScript when built. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js"
  return new URL(`./spool-worker.${extension}`, import.meta.url)
}
