/** Waits for what other parties bring about in their own time. */
import { setTimeout as sleep } from "node:timers/promises"

const LOOK_AGAIN_MS = 10
const GIVE_UP_MS = 45_000

/** Resolves with the first defined, not false answer of `look`; rejects, naming what was hoped for, if it never comes. */
export async function eventually<Seen>(
  hope: string,
  look: () => Seen | undefined | false | Promise<Seen | undefined | false>,
): Promise<Seen> {
  const until = performance.now() + GIVE_UP_MS
  for (;;) {
    const seen = await look()
    if (seen !== undefined && seen !== false) return seen
    if (performance.now() > until) throw new Error(`never: ${hope}`)
    await sleep(LOOK_AGAIN_MS)
  }
}
