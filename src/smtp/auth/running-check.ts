/** One message that is being checked, as whoever takes it in sees it: content in, findings out, within bounds. */
import type { Clock } from "../../clock/clock.ts"
import type { ToWorker } from "./check-worker.ts"
import type { Findings } from "./findings.ts"

/** Ours: what one message may have under way to the thread; beyond, its sender waits. */
export const UNREAD_BYTES_MAX = 256 * 1024
/** Ours: after the end of the content. A sender waits for 10 minutes at least (RFC 5321 §4.5.3.2.6); DNS that is slower has failed. */
export const CHECK_MS_MAX = 20_000

export interface Check {
  /** Gives content; resolves when more may be given. Never rejects. */
  write(piece: Uint8Array): Promise<void>
  /** The content is at its end. Never rejects. */
  end(): Promise<Findings>
  /** Nobody wants to know any more; safe at any time. */
  drop(): void
}

type Thread = {
  readonly clock: Clock
  readonly tell: (message: ToWorker, moved?: ArrayBuffer[]) => void
  /** The findings do not come in time. */
  readonly late: () => void
  /** There is nothing more to be told of this one. */
  readonly over: () => void
}

export class RunningCheck implements Check {
  readonly #number: number
  readonly #thread: Thread
  readonly #findings = Promise.withResolvers<Findings>()
  #isOver = false
  #unreadBytes = 0
  #room = Promise.withResolvers<void>()
  #forgetDeadline = (): void => {}

  constructor(number: number, thread: Thread) {
    this.#number = number
    this.#thread = thread
  }

  async write(piece: Uint8Array): Promise<void> {
    if (this.#isOver || piece.length === 0) return
    const bytes = new Uint8Array(piece) // the piece's own memory is others' too, and cannot be handed on
    this.#unreadBytes += bytes.length
    this.#thread.tell({ kind: "piece", number: this.#number, bytes }, [bytes.buffer])
    if (this.#unreadBytes > UNREAD_BYTES_MAX) await this.#room.promise
  }

  end(): Promise<Findings> {
    if (!this.#isOver) {
      this.#thread.tell({ kind: "end", number: this.#number })
      this.#forgetDeadline = this.#thread.clock.after(CHECK_MS_MAX, this.#thread.late)
    }
    return this.#findings.promise
  }

  drop(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#forgetDeadline()
    this.#room.resolve()
    this.#thread.over()
  }

  /** The thread has read so much. */
  read(bytes: number): void {
    this.#unreadBytes -= bytes
    if (this.#unreadBytes > UNREAD_BYTES_MAX) return
    this.#room.resolve()
    this.#room = Promise.withResolvers()
  }

  settle(findings: Findings): void {
    this.#findings.resolve(findings)
    this.drop()
  }
}
