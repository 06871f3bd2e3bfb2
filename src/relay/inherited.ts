/** What a relay has from before it began: from systemd, or from the relay that it follows (docs/operating.md). */
import type { Clock } from "../clock/clock.ts"
import type { GivenSockets } from "../net/given-sockets.ts"
import type { Attached } from "./attached.ts"

export type Inherited = {
  readonly sockets: GivenSockets
  /** The relay before this one still runs. */
  readonly predecessor?: {
    /** Asks it which friends' boxes are attached to it now; they will dial anew. */
    readonly boxes: () => Promise<readonly string[]>
    /** Resolves when it has let go of the state folder. */
    readonly stateFree: Promise<void>
  }
}

/** Ours: how long a visitor waits for a box that the relay before this one has sent here. */
export const BOX_EXPECTED_MS = 15_000

/** To be called right before this relay accepts: a box that attaches to the one before it after that is not known here. */
export async function expectBoxes(
  attached: Pick<Attached, "expect">,
  predecessor: Inherited["predecessor"],
  { clock, closing }: { readonly clock: Clock; readonly closing: AsyncDisposableStack },
): Promise<void> {
  if (predecessor) attached.expect(await predecessor.boxes(), boxesAreLate(predecessor.stateFree, clock, closing))
}

/** Resolves when its boxes had their time. It sends them here while it closes its part of the state folder. */
function boxesAreLate(stateFree: Promise<void>, clock: Clock, closing: AsyncDisposableStack): Promise<void> {
  const waiting = closing.use(new DisposableStack()) // of its own: `closing` is moved before the folder is free
  return new Promise((resolve) => {
    void stateFree.then(() => waiting.disposed || waiting.defer(clock.after(BOX_EXPECTED_MS, resolve)))
  })
}
