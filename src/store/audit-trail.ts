/**
 * Who changed what in the mail queue, and when: a file of JSON lines in the state folder that this program only adds to.
 * It is opened anew for every line, so that it can be moved away like a log. Content and reasons of mail are no part of it.
 *
 *     STATE/queue-audit.jsonl    { "at": …, "who": "the operator", "how": "hold", "friend": "alice", "messages": [ … ] }
 */
import { open, type FileHandle } from "node:fs/promises"
import { dirname, join } from "node:path"
import { syncFolder } from "../files/durable-file.ts"

/** One change of one friend's messages; so a friend can be shown his own lines. `at` is ISO 8601. */
export type AuditEntry = {
  readonly at: string
  readonly who: string
  readonly how: string
  readonly friend: string
  readonly messages: readonly string[]
  /** Where they were redirected to, or why they were refused. */
  readonly detail?: string
}

export interface AuditTrail {
  /** Durable when it resolves. Rejects with what the system says; then the change must not be made. */
  append(entries: readonly AuditEntry[]): Promise<void>
  /** The newest lines of a friend, or of all, oldest first; of them, those about one message if it is given. */
  read(about: { readonly id: string | undefined; readonly friend: string | undefined }): Promise<readonly AuditEntry[]>
}

/** Ours: how much of the file's end is looked at; all of it can be read without us. */
export const AUDIT_SHOWN_BYTES_MAX = 4 * 1024 * 1024

const LF = 0x0a

export function auditTrail(stateFolder: string): AuditTrail {
  const file = join(stateFolder, "queue-audit.jsonl")
  let last: Promise<void> = Promise.resolve()
  return {
    append: (entries) => {
      const appended = last.then(() => append(file, entries))
      last = appended.catch(() => {}) // told to who asked
      return appended
    },
    read: async ({ id, friend }) =>
      (await readEnd(file)).filter(
        (entry) =>
          (friend === undefined || entry.friend === friend) && (id === undefined || entry.messages.includes(id)),
      ),
  }
}

async function append(file: string, entries: readonly AuditEntry[]): Promise<void> {
  if (entries.length === 0) return
  await using handle = await open(file, "a+", 0o600)
  const { size } = await handle.stat()
  // What a power cut left of a line must not swallow the next one.
  const torn = size > 0 && (await bytesAt(handle, size - 1, 1))[0] !== LF
  await handle.appendFile(`${torn ? "\n" : ""}${entries.map((entry) => `${JSON.stringify(entry)}\n`).join("")}`)
  await handle.sync()
  if (size === 0) await syncFolder(dirname(file))
}

async function readEnd(file: string): Promise<readonly AuditEntry[]> {
  const handle = await open(file, "r").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined
    throw error
  })
  if (!handle) return []
  await using opened = handle
  const { size } = await opened.stat()
  const from = Math.max(0, size - AUDIT_SHOWN_BYTES_MAX)
  const lines = (await bytesAt(opened, from, size - from)).toString().split("\n")
  return (from > 0 ? lines.slice(1) : lines).flatMap(entryIn)
}

async function bytesAt(handle: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

/** Nothing where a power cut tore the line. */
function entryIn(line: string): readonly AuditEntry[] {
  try {
    return [JSON.parse(line) as AuditEntry] // written by us, a line at a time
  } catch {
    return []
  }
}
