/**
 * What a disk may hold when the power fails. Rebuilt from a trace of a program's system calls (`strace -f -y -xx`):
 * what was fsynced is there; of what was only written, all, nothing or any sectors of it may be.
 */
import { createReadStream } from "node:fs"
import { basename, dirname } from "node:path"
import { createInterface } from "node:readline"

/** One thing that the program did, in the order in which the kernel saw it. */
export type Deed =
  | { readonly did: "write"; readonly path: string; readonly at: number; readonly bytes: Buffer }
  | { readonly did: "truncate"; readonly path: string; readonly bytes: number }
  | { readonly did: "create" | "unlink" | "sync"; readonly path: string }
  | { readonly did: "say"; readonly text: string }

/** What becomes of writes that were not synced. `some`: any 512-byte sectors of them, by this dice. */
export type Unsynced = "none" | "all" | { readonly some: () => number }

const SECTOR_BYTES = 512

/** Arguments for strace with which `readDeeds` can read what it writes to `trace`. */
export function straceFor(trace: string): readonly string[] {
  const calls = "trace=pwrite64,write,fsync,fdatasync,ftruncate,unlink,openat"
  return ["-f", "-qq", "-y", "-xx", "-s", "1000000", "-o", trace, "-e", calls]
}

/** The deeds in a trace; injected successes (`-e inject=fsync:retval=0`) count as not done. */
export async function readDeeds(trace: string): Promise<Deed[]> {
  const deeds: Deed[] = []
  const begun = new Map<string, string>()
  for await (const line of createInterface({ input: createReadStream(trace) })) {
    const [, thread = "", rest = ""] = /^(\d+) +(.*)$/.exec(line) ?? []
    if (rest.endsWith("<unfinished ...>")) {
      begun.set(thread, rest.slice(0, -"<unfinished ...>".length))
      continue
    }
    const [, end] = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest) ?? []
    const call = end === undefined ? rest : `${begun.get(thread) ?? ""}${end}`
    const deed = deedOf(call)
    if (deed) deeds.push(deed)
  }
  return deeds
}

function deedOf(call: string): Deed | undefined {
  if (!/ = \d+(?:<[^>]*>)?$/.test(call)) return undefined // failed, or injected
  const [, name = "", given = ""] = /^(\w+)\((.*?) *\) += /.exec(call) ?? []
  const path = text(/^\d+<([^>]*)>/.exec(given)?.[1] ?? /"([^"]*)"/.exec(given)?.[1])
  switch (name) {
    case "pwrite64":
      return { did: "write", path, at: Number(/, (\d+)$/.exec(given)?.[1]), bytes: data(given) }
    case "ftruncate":
      return { did: "truncate", path, bytes: Number(/, (\d+)$/.exec(given)?.[1]) }
    case "fsync":
    case "fdatasync":
      return { did: "sync", path }
    case "unlink":
      return { did: "unlink", path }
    case "openat":
      return given.includes("O_CREAT") ? { did: "create", path: text(/"([^"]*)"/.exec(given)?.[1]) } : undefined
    case "write":
      return given.startsWith("1<") ? { did: "say", text: data(given).toString() } : undefined
    default:
      return undefined
  }
}

function data(given: string): Buffer {
  return Buffer.from((/"([^"]*)"/.exec(given)?.[1] ?? "").replaceAll("\\x", ""), "hex")
}

function text(hex: string | undefined): string {
  return Buffer.from((hex ?? "").replaceAll("\\x", ""), "hex").toString()
}

type Change = Extract<Deed, { did: "write" | "truncate" }>
type File = { synced: Buffer; readonly unsynced: Change[]; name: "there" | "not synced" | "removed" }

/** One folder on a disk, deed by deed. */
export class DiskModel {
  readonly #folder: string
  readonly #files = new Map<string, File>()

  constructor(folder: string) {
    this.#folder = folder
  }

  does(deed: Deed): void {
    if (deed.did === "say") return
    if (deed.did === "sync" && deed.path === this.#folder) return this.#syncNames()
    if (dirname(deed.path) !== this.#folder) return
    const file = this.#files.get(deed.path) ?? { synced: Buffer.alloc(0), unsynced: [], name: "not synced" }
    this.#files.set(deed.path, file)
    if (deed.did === "write" || deed.did === "truncate") file.unsynced.push(deed)
    else if (deed.did === "unlink") file.name = "removed"
    else if (deed.did === "create" && file.name === "removed") this.#files.delete(deed.path)
    else if (deed.did === "sync") file.synced = this.#changed(file, file.unsynced.splice(0))
  }

  /** What a restart may find, by name of file. */
  afterPowerCut(unsynced: Unsynced): Map<string, Buffer> {
    const found = new Map<string, Buffer>()
    for (const [path, file] of this.#files) {
      const isNamed = file.name === "there" || (unsynced === "all") !== (file.name === "removed")
      if (isNamed) found.set(basename(path), this.#changed(file, surviving(file.unsynced, unsynced)))
    }
    return found
  }

  #syncNames(): void {
    for (const [path, file] of this.#files) {
      if (file.name === "removed") this.#files.delete(path)
      else file.name = "there"
    }
  }

  #changed(file: File, changes: readonly Change[]): Buffer {
    const ends = changes.map((change) => (change.did === "write" ? change.at + change.bytes.length : change.bytes))
    const grown = Buffer.alloc(Math.max(file.synced.length, ...ends))
    file.synced.copy(grown)
    let length = file.synced.length
    for (const change of changes) {
      if (change.did === "write") change.bytes.copy(grown, change.at)
      else grown.fill(0, change.bytes)
      length = change.did === "write" ? Math.max(length, change.at + change.bytes.length) : change.bytes
    }
    return grown.subarray(0, length)
  }
}

function surviving(changes: readonly Change[], unsynced: Unsynced): readonly Change[] {
  if (unsynced === "none") return []
  if (unsynced === "all") return changes
  return changes.flatMap(sectors).filter(() => unsynced.some() < 0.5)
}

function sectors(change: Change): Change[] {
  if (change.did === "truncate") return [change]
  const pieces: Change[] = []
  for (let from = 0; from < change.bytes.length;) {
    const to = from + SECTOR_BYTES - ((change.at + from) % SECTOR_BYTES)
    pieces.push({ ...change, at: change.at + from, bytes: change.bytes.subarray(from, to) })
    from = to
  }
  return pieces
}
