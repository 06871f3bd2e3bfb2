/**
 * Has messages checked on a thread of its own while they come in. Whatever happens to that thread, every check ends, with
 * `temperror` if nothing else: it holds mail up for no longer than CHECK_MS_MAX, and never loses it.
 */
import { Worker } from "node:worker_threads"
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import type { FromWorker, ToWorker, WorkerOptions } from "./check-worker.ts"
import { notFound, type HandedIn } from "./findings.ts"
import { RunningCheck, type Check } from "./running-check.ts"

/** Ours: messages that are checked at a time; each may have a header section and some pieces in memory. */
export const CHECKS_MAX = 200
/** Ours: a thread that says nothing to anybody for as long, after a check was late, hangs and is replaced. */
export const SILENCE_MS_MAX = 5_000
/** Ours: a thread that ended by itself is not started again at once, or whoever can end it keeps the machine busy. */
export const START_AGAIN_MS = 5_000
/** Ours: keys, records and header sections of CHECKS_MAX messages take far less. */
const HEAP_MIB_MAX = 256

export type CheckerOptions = WorkerOptions & {
  readonly clock: Clock
  readonly log: Log
  /** Another thread than the one that checks, for tests. */
  readonly file?: URL
}

export class Checker {
  readonly #options: CheckerOptions
  readonly #running = new Map<number, RunningCheck>()
  #thread: Worker | undefined
  #lastNumber = 0
  #notBefore: Instant = -Infinity
  #heardAt: Instant = -Infinity

  constructor(options: CheckerOptions) {
    this.#options = options
  }

  begin(by: HandedIn): Check {
    if (this.#running.size >= CHECKS_MAX) return unchecked("too much is being checked")
    const thread = (this.#thread ??= this.#start())
    if (!thread) return unchecked("the check broke a moment ago")
    const number = ++this.#lastNumber
    const check = new RunningCheck(number, {
      clock: this.#options.clock,
      tell: (message, moved) => thread.postMessage(message, moved),
      late: () => this.#late(number),
      over: () => {
        this.#running.delete(number)
        thread.postMessage({ kind: "drop", number } satisfies ToWorker)
      },
    })
    this.#running.set(number, check)
    thread.postMessage({ kind: "begin", number, by } satisfies ToWorker)
    return check
  }

  /** Checks that are under way end without findings. */
  async close(): Promise<void> {
    this.#notBefore = Infinity
    await this.#end("the relay is being stopped")
  }

  #start(): Worker | undefined {
    const { clock, log, name, nameServers, file = workerFile() } = this.#options
    if (clock.now() < this.#notBefore) return undefined
    const thread = new Worker(file, {
      workerData: { name, nameServers } satisfies WorkerOptions,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MIB_MAX },
    })
    thread.unref()
    thread.on("message", (message: FromWorker) => this.#hear(message))
    thread.on("error", (error) => log.error("mail-check-broke", { why: error.message }))
    thread.on("exit", () => {
      if (this.#thread === thread) void this.#end("the check broke")
    })
    return thread
  }

  #hear(message: FromWorker): void {
    this.#heardAt = this.#options.clock.now()
    const check = this.#running.get(message.number)
    if (message.kind === "read") check?.read(message.bytes)
    if (message.kind === "found") check?.settle(message.findings)
  }

  /** DNS is slow; or the thread hangs, and then it does not even answer to `drop`. */
  #late(number: number): void {
    const { clock, log } = this.#options
    const thread = this.#thread
    const since = clock.now()
    this.#running.get(number)?.settle(notFound("not checked in time"))
    clock.after(SILENCE_MS_MAX, () => {
      if (this.#thread !== thread || this.#heardAt >= since) return
      log.error("mail-check-hangs", { unfinished: this.#running.size })
      void this.#end("the check hung")
    })
  }

  async #end(why: string): Promise<void> {
    const thread = this.#thread
    this.#thread = undefined
    this.#notBefore = Math.max(this.#notBefore, this.#options.clock.now() + START_AGAIN_MS)
    for (const check of this.#running.values()) check.settle(notFound(why))
    await thread?.terminate()
  }
}

function unchecked(why: string): Check {
  return { write: () => Promise.resolve(), end: () => Promise.resolve(notFound(why)), drop: () => {} }
}

/** Beside this file: as TypeScript when run from source, as JavaScript when built. */
function workerFile(): URL {
  const extension = import.meta.url.endsWith(".ts") ? "ts" : "js"
  return new URL(`./check-worker.${extension}`, import.meta.url)
}
