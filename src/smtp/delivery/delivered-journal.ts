/**
 * What next hops have taken and the spool does not know yet. The spool's record waits for the disk, and a relay that is
 * killed meanwhile would send again. A line in this file is written before anything else happens and outlives the
 * process, though not a power cut: after that a message may come twice, which RFC 5321 §6.1 lets it.
 */
import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs"
import { join } from "node:path"
import type { Log } from "../../log/log.ts"
import type { MessageId } from "../../store/spool.ts"

export type Delivered = { readonly message: MessageId; readonly recipients: readonly string[] }

export interface DeliveredJournal {
  /** What a process that was killed left here. */
  readonly leftOver: readonly Delivered[]
  /** Remembers; returns when the kernel has it. Never throws: without it the worst is a message sent twice. */
  note(delivered: Delivered): void
  /** As many notes as were made are in the spool. */
  settled(): void
  close(): void
}

/** Ours: a file that is not needed is cut to nothing when it is larger. */
const JOURNAL_BYTES_MAX = 64 * 1024

/** Opens the journal of a state folder; makes it if there is none. */
export function openDeliveredJournal(stateFolder: string, log: Log): DeliveredJournal {
  const file = openSync(join(stateFolder, "delivered.journal"), "a+", 0o600)
  const text = readFileSync(file, "utf8")
  let sizeBytes = Buffer.byteLength(text)
  let unsettled = 0
  // A line that was cut off in the middle must not swallow the next.
  if (text !== "" && !text.endsWith("\n")) sizeBytes += writeSync(file, "\n")
  return {
    leftOver: text.split("\n").flatMap((line) => readLine(line) ?? []),
    note: (delivered) => {
      unsettled += 1
      try {
        sizeBytes += writeSync(file, `${JSON.stringify(delivered)}\n`)
      } catch (error) {
        log.warn("journal-not-written", { why: String(error) })
      }
    },
    settled: () => {
      unsettled -= 1
      if (unsettled > 0 || sizeBytes < JOURNAL_BYTES_MAX) return
      ftruncateSync(file, 0)
      sizeBytes = 0
    },
    close: () => closeSync(file),
  }
}

/** A journal that the first use opens. */
export function lateJournal(open: () => DeliveredJournal): DeliveredJournal {
  let opened: DeliveredJournal | undefined
  const journal = (): DeliveredJournal => (opened ??= open())
  return {
    get leftOver() {
      return journal().leftOver
    },
    note: (delivered) => journal().note(delivered),
    settled: () => journal().settled(),
    close: () => opened?.close(),
  }
}

/** What another process began to write may be cut off anywhere. */
function readLine(line: string): Delivered | undefined {
  try {
    const read: unknown = JSON.parse(line)
    return isDelivered(read) ? read : undefined
  } catch {
    return undefined
  }
}

function isDelivered(read: unknown): read is Delivered {
  if (typeof read !== "object" || read === null || !("message" in read) || !("recipients" in read)) return false
  const { message, recipients } = read
  return typeof message === "string" && Array.isArray(recipients) && recipients.every((one) => typeof one === "string")
}
