/** Waits for something that real sockets and threads bring about in their own time. */
import { setTimeout as delay } from "node:timers/promises"

/** Ours: a loaded machine gets this long before the test gives up. */
const PATIENCE_MS = 30_000

/** Resolves when `condition` holds; rejects, naming what was waited for, when patience ends. */
export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = Date.now() + PATIENCE_MS
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited in vain until ${what}`)
    await delay(5)
  }
}
