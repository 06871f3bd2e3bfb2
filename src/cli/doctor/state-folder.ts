/** Whether the state folder can be written, and how much room there is. */
import { mkdtemp, mkdir, rm, statfs } from "node:fs/promises"
import { join } from "node:path"
import type { Finding } from "./finding.ts"

const GIB = 1024 ** 3
/** Ours: less than this is filled by one friend's holiday. */
const FREE_BYTES_MIN = GIB

export async function examineStateFolder(folder: string): Promise<Finding> {
  const what = "state folder"
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await rm(await mkdtemp(join(folder, "doctor-")), { recursive: true })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // node:fs rejects with nothing else
    return { what, state: "fail", found: `${folder} cannot be written (${code})`, remedy: "let this user write there" }
  }
  const { bavail, bsize } = await statfs(folder)
  const free = `${folder}: ${(bavail * bsize) / GIB < 10 ? ((bavail * bsize) / GIB).toFixed(1) : Math.floor((bavail * bsize) / GIB)} GiB free`
  return bavail * bsize >= FREE_BYTES_MIN
    ? { what, state: "ok", found: free }
    : { what, state: "warn", found: free, remedy: "mail that waits for a friend needs room" }
}
