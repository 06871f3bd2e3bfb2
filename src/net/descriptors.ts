/**
 * Room for connections. Every visitor will need a second descriptor, for the backend; who accepted without keeping one
 * back would end with nothing but visitors that lead nowhere. Nobody is asked what else is open: the kernel hands out the
 * lowest free number, so the number of a new descriptor says how many are taken.
 */
import { readFileSync } from "node:fs"

/** Ours: kept for the rest of the program: files, lookups, tunnels. */
const RESERVED_DESCRIPTORS = 8

export class Descriptors {
  /** Visitors who may still need a descriptor for their backend. */
  promised = 0
  readonly limit: number

  constructor(limit: number = descriptorLimit()) {
    this.limit = limit
  }

  /** Whether whoever came in on `fd` can be carried; `undefined`: it is not known which that is. */
  hasRoom(fd: number | undefined): boolean {
    return fd === undefined || fd + this.promised + 1 + RESERVED_DESCRIPTORS < this.limit
  }
}

/** RLIMIT_NOFILE, which Node has raised to its hard limit (getrlimit(2)); infinite where it cannot be read. */
function descriptorLimit(): number {
  try {
    const soft = /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "latin1"))?.[1]
    return soft === undefined ? Infinity : Number(soft)
  } catch {
    return Infinity // not Linux: accept(2) itself will say when there are none
  }
}
