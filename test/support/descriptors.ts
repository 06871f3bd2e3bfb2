/** What this process has open, as the kernel counts it. */
import { readdirSync, readlinkSync } from "node:fs"

/** Sockets of this process; other descriptors come and go with the test runner. */
export function openSockets(): number {
  return readdirSync("/proc/self/fd").filter((fd) => isSocket(`/proc/self/fd/${fd}`)).length
}

function isSocket(link: string): boolean {
  try {
    return readlinkSync(link).startsWith("socket:")
  } catch {
    return false // closed since the folder was read
  }
}

/** The kernel hands out the lowest free number, so the next one is about this. */
export function highestDescriptor(): number {
  return Math.max(...readdirSync("/proc/self/fd").map(Number))
}
