/** Follows a configuration file: a running program takes in what changes. */
import { watch } from "node:fs"
import { basename, dirname, resolve } from "node:path"

/** Ours: editors write a file in several steps. */
const SETTLE_MS = 200

/**
 * Calls `changed` at SIGHUP and when the file has changed. The folder is watched, because editors put a new file in the
 * old one's place. Calls never overlap; `changed` must not reject.
 */
export function followFile(file: string, changed: () => Promise<void>): () => void {
  let queue = Promise.resolve()
  let settling: NodeJS.Timeout | undefined
  const enqueue = (): void => void (queue = queue.then(changed))
  const watcher = watch(dirname(resolve(file)), (_, name) => {
    if (name !== basename(file)) return
    clearTimeout(settling)
    settling = setTimeout(enqueue, SETTLE_MS)
  })
  watcher.on("error", () => watcher.close()) // the folder is gone; SIGHUP still works
  process.on("SIGHUP", enqueue)
  return () => {
    clearTimeout(settling)
    watcher.close()
    process.off("SIGHUP", enqueue)
  }
}
