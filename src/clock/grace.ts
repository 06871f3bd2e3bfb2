/** What is left to end by itself, until somebody loses patience. */
import type { Clock } from "./clock.ts"

/** Calls `over` once: when `graceMs` have passed, or as soon as `cut` fires. The returned function forgets it. */
export function grace(clock: Clock, graceMs: number, cut: AbortSignal | undefined, over: () => void): () => void {
  if (cut?.aborted) {
    over()
    return () => {}
  }
  const lost = (): void => {
    forget()
    over()
  }
  const stopTimer = clock.after(graceMs, lost)
  const forget = (): void => {
    stopTimer()
    cut?.removeEventListener("abort", lost)
  }
  cut?.addEventListener("abort", lost)
  return forget
}

/** Resolves when the signal has fired. */
export function fired(signal: AbortSignal): Promise<void> {
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
