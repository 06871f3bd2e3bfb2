/**
 * One open handle on the spool's file, with its prepared statements, and the folder that the file is in. The handle
 * keeps the file locked: that is what keeps a second relay out of the state folder, and the kernel ends it with the process.
 */
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, statfsSync } from "node:fs"
import { dirname, join } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import { FaultError, fault, type Fault } from "../faults/faults.ts"
import { migrate } from "./spool-schema.ts"

/** Ours: pages of log before they are moved into the main file: 16 MB, so that a burst does not pay for it. */
const CHECKPOINT_PAGES = 4096

export class Connection {
  readonly statements: Statements
  readonly #database: DatabaseSync
  #synchronous: "FULL" | "NORMAL" = "FULL"

  /** `file` was made by `prepareFile`; it may not grow beyond `bytesMax`. Throws what SQLite throws, or a FaultError STATE_TOO_NEW. */
  constructor(file: string, bytesMax: number | undefined) {
    this.#database = new DatabaseSync(file, { timeout: 0 })
    try {
      // EXCLUSIVE before WAL: nobody else may open the file, and the log's index needs no shared memory.
      this.#database.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL")
      this.#database.exec("BEGIN IMMEDIATE; COMMIT")
      migrate(this.#database)
      // What an earlier handle may have failed to write goes through the main file, with an fsync of its own.
      this.#database.exec("PRAGMA wal_checkpoint(TRUNCATE)")
      this.#database.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`)
      if (bytesMax !== undefined) this.#limit(bytesMax)
      this.statements = prepare(this.#database)
    } catch (error) {
      this.#database.close()
      throw error
    }
  }

  /** Begins a transaction; only a durable one waits for the disk when it ends. */
  begin(durable: boolean): void {
    const synchronous = durable ? "FULL" : "NORMAL"
    if (synchronous !== this.#synchronous) this.#database.exec(`PRAGMA synchronous = ${synchronous}`)
    this.#synchronous = synchronous
    this.statements.begin.run()
  }

  commit(): void {
    this.statements.commit.run()
  }

  rollback(): void {
    if (this.#database.isTransaction) this.#database.exec("ROLLBACK")
  }

  /** Room inside the file that new content can take. */
  freeBytes(): number {
    return Number(this.statements.freePages.get()?.["freelist_count"] ?? 0) * this.#pageBytes()
  }

  close(): void {
    this.#database.close()
  }

  #pageBytes(): number {
    return Number(this.#database.prepare("PRAGMA page_size").get()?.["page_size"])
  }

  #limit(bytesMax: number): void {
    this.#database.exec(`PRAGMA max_page_count = ${Math.floor(bytesMax / this.#pageBytes())}`)
  }
}

export type Statements = ReturnType<typeof prepare>

function prepare(database: DatabaseSync) {
  const sql = (text: string): StatementSync => database.prepare(text)
  return {
    begin: sql("BEGIN IMMEDIATE"),
    commit: sql("COMMIT"),
    freePages: sql("PRAGMA freelist_count"),
    addDraft: sql("INSERT INTO draft VALUES (?)"),
    endDraft: sql("DELETE FROM draft WHERE number = ?"),
    drafts: sql("SELECT number FROM draft"),
    addContent: sql("INSERT INTO content VALUES (?, ?)"),
    setContent: sql("UPDATE content SET bytes = ? WHERE chunk = ?"),
    content: sql("SELECT bytes FROM content WHERE chunk = ?"),
    removeContent: sql("DELETE FROM content WHERE chunk >= ? AND chunk < ?"),
    addMessage: sql("INSERT INTO message VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"),
    lastNumber: sql("SELECT max(number) AS number FROM message"),
    numberOf: sql("SELECT number FROM message WHERE id = ?"),
    messageById: sql("SELECT * FROM message WHERE id = ?"),
    messageByNumber: sql("SELECT * FROM message WHERE number = ?"),
    messagesAfter: {
      all: sql("SELECT * FROM message WHERE number > ? ORDER BY number LIMIT ?"),
      of: sql("SELECT * FROM message WHERE number > ? AND friend = ? ORDER BY number LIMIT ?"),
    },
    removeMessage: sql("DELETE FROM message WHERE number = ?"),
    addRecipient: sql(
      `INSERT INTO recipient (message, position, friend, address, notify, orcpt, state, due_at, tries)
       VALUES (?, ?, ?, ?, ?, ?, 'waiting', ?, 0)`,
    ),
    recipients: sql("SELECT * FROM recipient WHERE message = ? ORDER BY position"),
    removeRecipients: sql("DELETE FROM recipient WHERE message = ?"),
    setAttempt: sql(
      // A try that was under way when its recipient was held or done with must not make it wait again.
      `UPDATE recipient SET state = ?1, due_at = ?2, tries = ?3, because = ?4, how = ?5, done_at = ?6, last_reply = ?7
       WHERE message = ?8 AND address = ?9 AND (?1 <> 'waiting' OR state = 'waiting')`,
    ),
    wake: sql("UPDATE recipient SET due_at = ? WHERE friend = ? AND due_at > ?"),
    hurry: sql("UPDATE recipient SET due_at = ?2 WHERE message = ?1 AND state = 'waiting'"),
    hold: sql(
      "UPDATE recipient SET state = 'held', due_at = NULL, because = ?2 WHERE message = ?1 AND state = 'waiting'",
    ),
    release: sql(
      "UPDATE recipient SET state = 'waiting', due_at = ?2, because = NULL WHERE message = ?1 AND state = 'held'",
    ),
    openRecipients: sql(
      "SELECT position, address, orcpt FROM recipient WHERE message = ? AND state <> 'done' ORDER BY position",
    ),
    redirect: sql(
      `UPDATE recipient SET address = ?3, orcpt = ?4, state = 'waiting', due_at = ?5, tries = 0, because = NULL,
       last_reply = NULL WHERE message = ?1 AND position = ?2`,
    ),
    standIn: sql(
      `UPDATE recipient SET state = 'done', how = 'redirected', done_at = ?3, due_at = NULL, because = NULL
       WHERE message = ?1 AND position <> ?2 AND state <> 'done'`,
    ),
    countUnfinished: sql("SELECT count(*) AS recipients FROM recipient WHERE message = ? AND state <> 'done'"),
    dueOf: sql(
      `SELECT number, id, due_at FROM recipient JOIN message ON number = message
       WHERE recipient.friend = ? AND due_at <= ? ORDER BY due_at`,
    ),
    firstDue: sql("SELECT min(due_at) AS due_at FROM recipient WHERE friend = ? AND due_at IS NOT NULL"),
    friends: sql("SELECT name FROM friend WHERE messages > 0"),
    usage: sql("SELECT messages, bytes FROM friend WHERE name = ?"),
    oldest: sql("SELECT received_at FROM message WHERE friend = ? ORDER BY number LIMIT 1"),
    addUsage: sql(
      `INSERT INTO friend VALUES (?, 1, ?)
       ON CONFLICT DO UPDATE SET messages = messages + 1, bytes = bytes + excluded.bytes`,
    ),
    subtractUsage: sql("UPDATE friend SET messages = messages - 1, bytes = bytes - ? WHERE name = ?"),
  }
}

/** Makes the folder for its owner alone, the file too (SQLite gives its log the same mode), and both names durable. */
export function prepareFile(folder: string): string {
  const file = join(folder, "spool.db")
  const firstMade = mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Not opened where it exists: closing it would drop the locks that this process holds on it (POSIX fcntl).
  if (!existsSync(file)) closeSync(openSync(file, "ax", 0o600))
  chmodSync(file, 0o600)
  const last = firstMade === undefined ? folder : dirname(firstMade)
  for (let at = folder; at.length > last.length; at = dirname(at)) syncFolder(at)
  syncFolder(last)
  return file
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r")
  fsyncSync(descriptor)
  closeSync(descriptor)
}

/** What is left on the disk for others than root. */
export function diskBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder)
  return bavail * bsize
}

/** https://sqlite.org/rescode.html: the primary codes, the low byte of the extended ones. */
const SQLITE_BUSY = 5
const SQLITE_FULL = 13

function sqliteCode(error: unknown): number | undefined {
  const code = error instanceof Error && "errcode" in error ? error.errcode : undefined
  return typeof code === "number" ? code & 0xff : undefined
}

/** SQLITE_FULL is SPOOL_FULL; everything else that SQLite throws is SPOOL_FAILED. */
export function faultOf(error: unknown): Fault {
  if (error instanceof FaultError) return error.fault
  return fault(sqliteCode(error) === SQLITE_FULL ? "SPOOL_FULL" : "SPOOL_FAILED", String(error))
}

/** The same while opening, where BUSY means that somebody else has the file. */
export function openingFault(error: unknown, folder: string): Fault {
  if (sqliteCode(error) !== SQLITE_BUSY) return faultOf(error)
  const remedy = "stop the other relay, or give this one a state folder of its own (relay.state)"
  return fault("STATE_LOCKED", `${folder} is in use by another process: ${remedy}`)
}
