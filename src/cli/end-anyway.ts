/** A program that was told to stop ends, whatever holds it. */
import type { Log } from "../log/log.ts"
import { EXIT } from "./exit-code.ts"

/** Ours: how long closing files and sockets may take once nothing is carried any more. */
export const CLOSING_MS_MAX = 5_000

/** From now on the process lives for `drainMs` and CLOSING_MS_MAX at most; then it says what was still open and ends with 1. */
export function endAnyway(drainMs: number, log: Log): void {
  const end = (): void => {
    log.error("did not end by itself", { open: [...new Set(process.getActiveResourcesInfo())].join(", ") })
    process.exit(EXIT.failed)
  }
  setTimeout(end, drainMs + CLOSING_MS_MAX).unref()
}
