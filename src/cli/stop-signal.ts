/** Ctrl-C and SIGTERM: the first asks for a clean end, the second is an order. */

/** Shells report a program that a signal ended as 128 plus its number. */
const INTERRUPTED = { SIGINT: 130, SIGTERM: 143 } as const

/** Fires at the first SIGINT or SIGTERM; the second ends the process at once. */
export function stopSignal(): AbortSignal {
  const controller = new AbortController()
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (controller.signal.aborted) process.exit(INTERRUPTED[name])
      controller.abort()
    })
  }
  return controller.signal
}

/** Resolves when the signal has fired. */
export function fired(signal: AbortSignal): Promise<void> {
  return signal.aborted
    ? Promise.resolve()
    : new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }))
}
