/**
 * A real ext4 whose device can be copied at any instant, as a power cut would leave it: what the file system has handed
 * to the device is in the copy, what waits in memory is not. The device is a file on XFS, whose reflink copies
 * (FICLONE) lock the file against writes and so are of one instant. Needs root, loop devices and xfsprogs.
 */
import { execFileSync } from "node:child_process"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { mkdir } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { judge } from "./installed.ts"

export type SnapshotDisk = AsyncDisposable & {
  /** Where the ext4 is mounted. */
  readonly path: string
  /** The power fails: a copy of the device. The disk itself goes on. */
  snapshot(): Snapshot
}

export type Snapshot = {
  /** Mounts the copy, which replays its journal, and gives it away afterwards. */
  inspect<Found>(look: (path: string) => Promise<Found>): Promise<Found>
}

/** Where it is fastest; how durable the device itself is does not matter here. */
const MEMORY = "/dev/shm"
const HOST_MIB = 2048
const DISK_MIB = 128

/** Why there can be none here; `undefined` when there can. */
export function whyNoSnapshotDisk(): string | undefined {
  if (process.getuid?.() !== 0) return "mounting a disk needs root"
  if (judge("mkfs.xfs") === undefined) return "mkfs.xfs is not installed (apt-get install xfsprogs)"
  try {
    execFileSync("losetup", ["--find"], { stdio: "pipe" })
    return undefined
  } catch (error) {
    return `no loop device: ${String(error).split("\n")[0]}`
  }
}

export async function snapshotDisk(): Promise<SnapshotDisk> {
  const folder = mkdtempSync(join(existsSync(MEMORY) ? MEMORY : tmpdir(), "waypost-disk-"))
  const host = join(folder, "host")
  const disk = join(folder, "disk")
  const after = join(folder, "after")
  for (const mountPoint of [host, disk, after]) await mkdir(mountPoint)
  const mounted: string[] = []
  const mount = (image: string, at: string): void => {
    execFileSync("mount", ["-o", "loop", image, at])
    mounted.push(at)
  }
  // Lazily: whoever makes a namespace meanwhile (`ip netns exec`) holds what is mounted until he ends.
  const unmount = (): void => void execFileSync("umount", ["--lazy", mounted.pop() ?? ""])
  const image = join(host, "disk.img")
  makeImage(`${folder}/host.img`, HOST_MIB, ["mkfs.xfs", "-q", "-m", "reflink=1"])
  mount(`${folder}/host.img`, host)
  makeImage(image, DISK_MIB, ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"])
  mount(image, disk)
  let copies = 0
  return {
    path: disk,
    snapshot: () => {
      const copy = join(host, `copy-${copies++}.img`)
      execFileSync("cp", ["--reflink=always", image, copy])
      return {
        inspect: async (look) => {
          mount(copy, after)
          try {
            return await look(after)
          } finally {
            unmount()
            rmSync(copy)
          }
        },
      }
    },
    [Symbol.asyncDispose]: () => {
      while (mounted.length > 0) unmount()
      rmSync(folder, { recursive: true })
      return Promise.resolve()
    },
  }
}

function makeImage(path: string, mebibytes: number, [program = "", ...args]: readonly string[]): void {
  execFileSync("truncate", ["-s", `${mebibytes}M`, path])
  execFileSync(program, [...args, path], { stdio: "pipe" })
}
