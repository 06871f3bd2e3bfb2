/** What a relay has from before it began: from systemd, or from the relay that it follows (docs/operating.md). */
import type { Clock } from "../clock/clock.ts"
import type { GivenSockets } from "../net/given-sockets.ts"

export type Inherited = {
  readonly sockets: GivenSockets
  /** The relay before this one still runs. */
  readonly predecessor?: {
    /** Friends whose boxes are attached to it; they will dial anew. */
    readonly boxes: readonly string[]
    /** Resolves when it has let go of the state folder. */
    readonly stateFree: Promise<void>
  }
}

/** Ours: how long a visitor waits for a box that the relay before this one has sent here. */
export const BOX_EXPECTED_MS = 15_000

/** Resolves when its boxes had their time. It sends them here while it closes its part of the state folder. */
export function boxesAreLate(
  { stateFree }: NonNullable<Inherited["predecessor"]>,
  clock: Clock,
  closing: AsyncDisposableStack,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  let isClosed = false
  let forget = (): void => {}
  closing.defer(() => {
    isClosed = true
    forget()
  })
  void stateFree.then(() => {
    if (!isClosed) forget = clock.after(BOX_EXPECTED_MS, resolve)
  })
  return promise
}
