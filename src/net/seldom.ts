/** Complaints about what strangers bring about. */
import type { Clock } from "../clock/clock.ts"

/** Ours: whoever makes accepting fail should not fill the log as well. */
const COMPLAINT_INTERVAL_MS = 1_000

/** `complain`, but not again before a second is over. */
export function seldom(clock: Clock, complain: (code: string) => void): (code: string) => void {
  let quietUntil = 0
  return (code) => {
    if (clock.now() < quietUntil) return
    quietUntil = clock.now() + COMPLAINT_INTERVAL_MS
    complain(code)
  }
}
