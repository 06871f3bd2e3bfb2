/** The mail queue of a relay that runs, as another process has it: through whatever carries its questions. */
import { FaultError, type Fault } from "../faults/faults.ts"
import type { AuditEntry } from "../store/audit-trail.ts"
import type { Changed, Chosen } from "./mail-queue.ts"
import type { QueuedMessage } from "./queued.ts"
import type { WaitingNote } from "./waiting-note.ts"
import type { QueueChange } from "./queue-change.ts"

/** Asks for a page of queue-pages.ts and resolves to its JSON. Rejects with the fault that the relay answers, or that it cannot be reached. */
export type Ask = (method: "GET" | "POST", page: string, given: Given) => Promise<unknown>
export type Given = Readonly<Record<string, string | undefined>>

export type AskedQueue = {
  list(chosen: Chosen): Promise<readonly QueuedMessage[]>
  audit(chosen: Chosen): Promise<readonly AuditEntry[]>
  /** What a friend is to know of his mail; `null`: nothing. */
  note(friend: string | undefined): Promise<WaitingNote | null>
  /** Rejects with REDIRECT_REFUSED too. */
  change(change: QueueChange, chosen: Chosen): Promise<Changed>
}

/** Every answer is what mail-queue.ts gave, as it is. */
export function queueThrough(ask: Ask): AskedQueue {
  return {
    list: async (chosen) => (await ask("GET", "/queue", chosen)) as readonly QueuedMessage[],
    audit: async (chosen) => (await ask("GET", "/queue/audit", chosen)) as readonly AuditEntry[],
    note: async (friend) => (await ask("GET", "/queue/note", { friend })) as WaitingNote | null,
    change: async ({ how, ...more }, chosen) => (await ask("POST", `/queue/${how}`, { ...chosen, ...more })) as Changed,
  }
}

/** The page with what is given, as it stands in a request line. */
export function pathOf(page: string, given: Given): string {
  const pairs = Object.entries(given).filter((pair): pair is [string, string] => pair[1] !== undefined)
  return pairs.length === 0 ? page : `${page}?${new URLSearchParams(pairs).toString()}`
}

/** What the relay answered. Throws its fault. */
export function answerIn(status: number | undefined, body: string): unknown {
  if (status === 409) throw new FaultError(JSON.parse(body) as Fault) // queue-pages.ts sends it as it is
  if (status !== 200) throw new Error(`the relay answered ${status}: ${body.trim()}`)
  return JSON.parse(body)
}
