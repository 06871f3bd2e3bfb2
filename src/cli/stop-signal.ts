/** Ctrl-C and SIGTERM: the first asks for a clean end, the second is an order. A parent that is gone asks too. */

/** Shells report a program that a signal ended as 128 plus its number. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const

/**
 * Fires at the first SIGINT or SIGTERM, or when a parent with a channel to us ends; the next signal ends the process at
 * once. `heedsParent: false`: the channel leads to somebody who is meant to end.
 */
export function stopSignal({ heedsParent = true } = {}): AbortSignal {
  const controller = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(INTERRUPTED[name])
      controller.abort()
    })
  }
  if (heedsParent) process.once("disconnect", () => controller.abort())
  process.channel?.unref() // listened to, it would keep the process alive
  return controller.signal
}
