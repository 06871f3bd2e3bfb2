/**
 * What this box has passed on of the mail that relays handed to it. A relay that is killed before it hears so hands the mail
 * over again, and is answered from here. Two files: one that is written to, and the one before it; when the first is old or
 * full it takes the other's place, so that nothing is forgotten for a week and nothing grows for ever.
 */
import { appendFileSync, closeSync, fdatasync, fsyncSync, openSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { promisify } from "node:util"
import type { Clock, Instant } from "../clock/clock.ts"
import { readIfThere } from "../files/durable-file.ts"
import type { Log } from "../log/log.ts"

/** One recipient whose mail a server here has taken, and its words; `dsn`: it takes over notices (RFC 3461). */
export type Taken = { readonly recipient: string; readonly reply: string; readonly dsn: boolean }

export interface MailJournal {
  /** What was taken of a mail already. */
  taken(mail: string): readonly Taken[]
  /** Whether what is noted will last. After a failure everything is written anew first. */
  isSound(): boolean
  /**
   * Remembers. The kernel has it when this returns, the disk when it resolves. Never rejects: the server has the mail, whatever
   * the disk says; but then the journal is not sound, and nothing more should be passed on.
   */
  note(mail: string, taken: readonly Taken[]): Promise<void>
  close(): void
}

/** Ours: a relay that was killed is back within minutes; one that was off for some days finds its mail still remembered. */
export const REMEMBERED_MS_MIN = 7 * 24 * 3_600_000
/** Ours: mails in one file; some megabytes of memory for both. A box that is handed more in a week forgets the oldest sooner. */
export const MAILS_PER_FILE_MAX = 20_000

type Line = { readonly at: Instant; readonly mail: string; readonly taken: readonly Taken[] }

const FILE_MODE = 0o600
const sync = promisify(fdatasync)

/** Reads what there is in a state folder, which must be there; the first use makes the file. */
export async function openMailJournal(stateFolder: string, clock: Clock, log: Log): Promise<MailJournal> {
  const [now, before] = await Promise.all([readLines(fileIn(stateFolder)), readLines(fileBefore(stateFolder))])
  return new FileJournal(stateFolder, { clock, log, now, before })
}

function fileIn(folder: string): string {
  return join(folder, "mail.journal")
}

function fileBefore(folder: string): string {
  return join(folder, "mail.journal.before")
}

type Outside = { readonly clock: Clock; readonly log: Log }
type Remembered = { readonly now: Map<string, Line>; readonly before: Map<string, Line> }

class FileJournal implements MailJournal {
  readonly #folder: string
  readonly #clock: Clock
  readonly #log: Log
  #now: Map<string, Line>
  #before: Map<string, Line>
  /** `undefined`: nobody knows what is in the file, so it is written anew before it is used. */
  #file: number | undefined
  /** The fsync that runs, and the next one, which covers what was written after that began. */
  #syncing: Promise<void> = Promise.resolve()
  #nextSync: Promise<void> | undefined

  constructor(folder: string, { clock, log, now, before }: Outside & Remembered) {
    this.#folder = folder
    this.#clock = clock
    this.#log = log
    this.#now = now
    this.#before = before
  }

  taken(mail: string): readonly Taken[] {
    return [...(this.#before.get(mail)?.taken ?? []), ...(this.#now.get(mail)?.taken ?? [])]
  }

  isSound(): boolean {
    if (this.#file !== undefined && !this.#isFull) return true
    this.#attempt(() => {
      if (this.#file === undefined) this.#file = this.#writeAnew()
      if (this.#isFull) this.#beginAnother(this.#file)
    })
    return this.#file !== undefined
  }

  async note(mail: string, taken: readonly Taken[]): Promise<void> {
    const line = { at: this.#clock.now(), mail, taken }
    remember(this.#now, line)
    const appended = this.#file !== undefined && (await this.#append(this.#file, line))
    if (!appended) this.isSound() // it writes this line too
  }

  async #append(file: number, line: Line): Promise<boolean> {
    try {
      appendFileSync(file, lineText(line))
      await this.#durable()
      return true
    } catch (error) {
      this.#doubt(error)
      return false
    }
  }

  close(): void {
    if (this.#file !== undefined) this.#closeWhenSynced(this.#file)
    this.#file = undefined
  }

  get #isFull(): boolean {
    const [oldest] = this.#now.values()
    const isOld = oldest !== undefined && this.#clock.now() - oldest.at >= REMEMBERED_MS_MIN
    return isOld || this.#now.size >= MAILS_PER_FILE_MAX
  }

  /** Many that wait share one fsync; each waits for one that began after its line was written. */
  #durable(): Promise<void> {
    this.#nextSync ??= this.#syncing.then(() => {
      this.#nextSync = undefined
      const running = this.#file === undefined ? Promise.resolve() : sync(this.#file)
      this.#syncing = running.catch(() => {})
      return running
    })
    return this.#nextSync
  }

  #attempt(work: () => void): void {
    try {
      work()
    } catch (error) {
      this.#doubt(error)
    }
  }

  #doubt(error: unknown): void {
    this.#log.error("mail-journal-not-written", { why: String(error) })
    this.close()
  }

  /** Everything that is remembered of this file's time. Synchronous, so that no line can come in between; it is rare. */
  #writeAnew(): number {
    const draft = `${fileIn(this.#folder)}.new`
    const file = openSync(draft, "w", FILE_MODE)
    try {
      writeFileSync(file, [...this.#now.values()].map(lineText).join(""))
      fsyncSync(file)
      renameSync(draft, fileIn(this.#folder))
      syncFolder(this.#folder)
      return file
    } catch (error) {
      closeSync(file)
      throw error
    }
  }

  #beginAnother(full: number): void {
    fsyncSync(full) // for whoever waits for the next fsync, which will be the other file's
    renameSync(fileIn(this.#folder), fileBefore(this.#folder))
    this.#before = this.#now
    this.#now = new Map()
    this.close()
    this.#file = this.#writeAnew()
  }

  /** Not sooner: its number may be another file's at once, and an fsync that is under way would be that file's. */
  #closeWhenSynced(file: number): void {
    void this.#syncing.then(() => closeSync(file))
  }
}

function syncFolder(folder: string): void {
  const descriptor = openSync(folder, "r")
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function lineText(line: Line): string {
  return `${JSON.stringify(line)}\n`
}

function remember(lines: Map<string, Line>, line: Line): void {
  const before = lines.get(line.mail)
  lines.set(line.mail, before ? { ...before, taken: [...before.taken, ...line.taken] } : line)
}

async function readLines(file: string): Promise<Map<string, Line>> {
  const lines = new Map<string, Line>()
  for (const text of ((await readIfThere(file)) ?? "").split("\n")) {
    const line = readLine(text)
    if (line) remember(lines, line)
  }
  return lines
}

/** Our own file; but its last line may be cut off anywhere. */
function readLine(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line // what was written by lineText; a part of it is no JSON
  } catch {
    return undefined
  }
}
