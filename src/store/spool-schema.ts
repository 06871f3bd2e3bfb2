/**
 * The spool's tables, as steps from nothing to today. A step that was released is never edited: a change is a new step.
 * Columns repeat the words of spool.ts, so that `sqlite3 spool.db` can be read by a person.
 */
import type { DatabaseSync } from "node:sqlite"
import { FaultError, fault } from "../faults/faults.ts"

const STEPS: readonly string[] = [
  `
  -- What each friend has in the spool: kept with every message, so that a quota costs no counting.
  CREATE TABLE friend (
    name TEXT PRIMARY KEY,
    messages INTEGER NOT NULL,
    bytes INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  -- This row makes a message real; content without it is an unfinished draft.
  CREATE TABLE message (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    friend TEXT NOT NULL,
    sender TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    smtputf8 INTEGER NOT NULL,
    require_tls INTEGER NOT NULL,
    ret TEXT,
    envid TEXT,
    client_address TEXT NOT NULL,
    client_helo TEXT NOT NULL,
    client_tls TEXT,
    size_bytes INTEGER NOT NULL,
    chunks INTEGER NOT NULL
  ) STRICT;

  -- due_at is set exactly while an attempt is waiting.
  CREATE TABLE recipient (
    message INTEGER NOT NULL,
    position INTEGER NOT NULL,
    friend TEXT NOT NULL,
    address TEXT NOT NULL,
    notify TEXT,
    orcpt TEXT,
    state TEXT NOT NULL,
    due_at INTEGER,
    tries INTEGER,
    because TEXT,
    how TEXT,
    done_at INTEGER,
    last_reply TEXT,
    PRIMARY KEY (message, position)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX recipient_due ON recipient (friend, due_at) WHERE due_at IS NOT NULL;

  -- chunk = message number * CHUNKS_MAX + position: one message's content lies together and is found without an index.
  CREATE TABLE content (
    chunk INTEGER PRIMARY KEY,
    bytes BLOB NOT NULL
  ) STRICT;

  -- Messages whose content is streaming in. A row here at start is what a crash left behind.
  CREATE TABLE draft (number INTEGER PRIMARY KEY) STRICT;
  `,
  // Content that is encrypted to the friend's box.
  "ALTER TABLE message ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0",
]

/** Ours: chunks that one message can have; with 64 kB each, 4 GB. */
export const CHUNKS_MAX = 65_536

/** Brings a spool of any earlier version up to this one. Throws a FaultError STATE_TOO_NEW for a later one. */
export function migrate(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"])
  if (version > STEPS.length) {
    const detail = `the spool has version ${version}, this program knows up to ${STEPS.length}: start the newer program again`
    throw new FaultError(fault("STATE_TOO_NEW", detail))
  }
  STEPS.slice(version).forEach((step, index) => {
    database.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${version + index + 1}; COMMIT`)
  })
}
