/**
 * A second witness, who does not depend on the first: what a process has in its memory at this moment, asked of the
 * kernel (proc(5), /proc/PID/mem). It sees what never entered JavaScript, and text that was received long ago and not yet
 * overwritten. It can prove that something is there; that nothing was found does not prove that it never was.
 */
import { open, readFile, type FileHandle } from "node:fs/promises"

export type Witness = "has it" | "has it not" | "cannot look"

/** Looks through all writable memory of the process. `cannot look`: not Linux, or the kernel does not let us. */
export async function memoryHas(pid: number, text: string): Promise<Witness> {
  const maps = await readFile(`/proc/${pid}/maps`, "latin1").catch(() => "")
  const memory = await open(`/proc/${pid}/mem`).catch(() => undefined)
  if (!memory || !maps) return "cannot look"
  try {
    for (const region of writableRegions(maps)) if (await regionHas(memory, region, Buffer.from(text))) return "has it"
    return "has it not"
  } finally {
    await memory.close()
  }
}

type Region = { readonly start: number; readonly end: number }

/** `7f0a12e00000-7f0a12f00000 rw-p …` */
function writableRegions(maps: string): Region[] {
  return [...maps.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw/gm)].map(([, start = "", end = ""]) => ({
    start: parseInt(start, 16),
    end: parseInt(end, 16),
  }))
}

const PIECE_BYTES = 8 * 1024 * 1024

/** Reads in pieces that overlap, so that a text across a border is found. A page that is gone meanwhile has nothing. */
async function regionHas(memory: FileHandle, { start, end }: Region, text: Buffer): Promise<boolean> {
  const piece = Buffer.alloc(Math.min(PIECE_BYTES, end - start))
  for (let at = start; at < end; at += piece.length - text.length) {
    const { bytesRead } = await memory
      .read(piece, 0, Math.min(piece.length, end - at), at)
      .catch(() => ({ bytesRead: 0 }))
    if (piece.subarray(0, bytesRead).includes(text)) return true
    if (at + piece.length >= end) return false
  }
  return false
}
