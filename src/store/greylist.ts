/**
 * Who has tried to send to whom, and when (RFC 6647). Senders of spam seldom come again; mail servers do. Only digests
 * are kept: the file tells nobody who wrote to whom. It is written without waiting for the disk: what a power cut takes
 * costs a few senders one more try.
 */
import { createHash } from "node:crypto"
import { chmodSync, closeSync, openSync, renameSync, rmSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync, type StatementSync } from "node:sqlite"
import type { Instant } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import { ipAddressBytes, isIpv6, type IpAddress } from "../names/ip-address.ts"

/** As postgrey (--delay): a sender who comes again sooner has not waited. */
export const GREYLIST_DELAY_MS = 5 * 60_000
/** RFC 6647 §5: a second try counts for up to 24 hours. */
export const GREYLIST_RETRY_MS = 24 * 3_600_000
/** As postgrey (--max-age): who passed, passes for as long after the last time. */
export const GREYLIST_KNOWN_MS = 35 * 24 * 3_600_000
/** Ours: some 10 MB. The oldest go first. */
export const GREYLIST_ROWS_MAX = 100_000
/** Ours: while one relay gives its place to another, both have the file open for a moment. */
const OTHER_RELAY_MS_MAX = 1_000
/** Ours: how many new ones come before the old ones are looked for. */
const PRUNE_EVERY = 1_000

export type Triple = { readonly client: IpAddress; readonly from: string; readonly to: string }

export interface Greylist {
  /** Notes the try; true if it comes from somebody who waited, now or before. Never throws: a table that is broken lets everybody pass. */
  passes(triple: Triple, now: Instant): boolean
  close(): void
}

/** Opens the table of a state folder; makes it if there is none. */
export function openGreylist(stateFolder: string, log: Log): Greylist {
  const file = join(stateFolder, "greylist.db")
  closeSync(openSync(file, "a", 0o600))
  chmodSync(file, 0o600)
  const table = openTable(file, log)
  return {
    passes: (triple, now) => {
      try {
        return table.passes(digestOf(triple), now)
      } catch (error) {
        log.error("greylist-broken", { why: String(error) })
        return true
      }
    },
    close: () => table.close(),
  }
}

/** What cannot be read is put aside: nothing in it is worth stopping mail for. */
function openTable(file: string, log: Log): Table {
  try {
    return new Table(new DatabaseSync(file, { timeout: OTHER_RELAY_MS_MAX }))
  } catch (error) {
    log.error("greylist-broken", { why: String(error) })
    renameSync(file, `${file}.broken`)
    for (const more of ["-wal", "-shm"]) rmSync(`${file}${more}`, { force: true })
    return new Table(new DatabaseSync(file, { timeout: OTHER_RELAY_MS_MAX }))
  }
}

class Table {
  readonly #database: DatabaseSync
  readonly #statements: Record<"find" | "add" | "pass" | "dropOld" | "dropMost", StatementSync>
  #added = 0

  constructor(database: DatabaseSync) {
    this.#database = database
    database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF")
    database.exec(
      "CREATE TABLE IF NOT EXISTS tried (digest BLOB PRIMARY KEY, first INTEGER NOT NULL, passed INTEGER) STRICT, WITHOUT ROWID",
    )
    this.#statements = {
      find: database.prepare("SELECT first, passed FROM tried WHERE digest = ?"),
      add: database.prepare("INSERT OR REPLACE INTO tried VALUES (?, ?, NULL)"),
      pass: database.prepare("UPDATE tried SET passed = ?2 WHERE digest = ?1"),
      dropOld: database.prepare("DELETE FROM tried WHERE coalesce(passed + ?2, first + ?3) < ?1"),
      dropMost: database.prepare(
        "DELETE FROM tried WHERE digest IN (SELECT digest FROM tried ORDER BY coalesce(passed, first) DESC LIMIT -1 OFFSET ?)",
      ),
    }
  }

  passes(digest: Uint8Array, now: Instant): boolean {
    const { find, add, pass } = this.#statements
    const at = Math.floor(now)
    const row = find.get(digest)
    const first = Number(row?.["first"])
    const passed = row?.["passed"] ?? undefined
    const known = passed !== undefined && at < Number(passed) + GREYLIST_KNOWN_MS
    const waited = row !== undefined && at >= first + GREYLIST_DELAY_MS && at < first + GREYLIST_RETRY_MS
    if (known || (passed === undefined && waited)) {
      pass.run(digest, at)
      return true
    }
    if (row === undefined || passed !== undefined || at >= first + GREYLIST_RETRY_MS) {
      add.run(digest, at)
      this.#prune(at)
    }
    return false
  }

  close(): void {
    this.#database.close()
  }

  #prune(now: number): void {
    this.#added += 1
    if (this.#added % PRUNE_EVERY !== 0) return
    this.#statements.dropOld.run(now, GREYLIST_KNOWN_MS, GREYLIST_RETRY_MS)
    this.#statements.dropMost.run(GREYLIST_ROWS_MAX)
  }
}

/** RFC 6647 §5: a sender's hosts share a network, and the next try may come from another of them. */
const NETWORK_BYTES = { v4: 3, v6: 8 } as const

function digestOf({ client, from, to }: Triple): Uint8Array {
  const network = ipAddressBytes(client).subarray(0, isIpv6(client) ? NETWORK_BYTES.v6 : NETWORK_BYTES.v4)
  const text = `${Buffer.from(network).toString("hex")} ${from.toLowerCase()} ${to.toLowerCase()}`
  return createHash("sha256").update(text).digest().subarray(0, 16)
}
