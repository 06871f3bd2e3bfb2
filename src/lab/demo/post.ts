/**
 * Looks at what arrives at the boxes, at the moment it arrives: a mail may leave Bob's disk right after. What the demo
 * itself has sent is awaited; everything else was sent by whoever tries the commands.
 */
import type { Bob } from "./bob.ts"
import type { Received } from "./box.ts"

/** Something that came to a box without being awaited, and whether Bob held it in the clear. */
export type Seen = { readonly by: string; readonly kind: Received["kind"]; readonly bobHeld: boolean }

/** What Bob had of something at the moment it arrived. */
export type Arrived = { readonly held: boolean; readonly kept: boolean }

/** Ours: on loopback everything is there at once; a slow machine gets a little longer. */
const ARRIVAL_DEADLINE_MS = 20_000

export class Post {
  #bob: Bob | undefined
  readonly #seen: (what: Seen) => void
  readonly #awaited = new Map<string, (what: Arrived) => void>()

  constructor(seen: (what: Seen) => void) {
    this.#seen = seen
  }

  /** Whose process and disk are looked at. He is started after the boxes, and before him nothing can arrive. */
  watch(bob: Bob): void {
    this.#bob = bob
  }

  /** Resolves when something with `mark` in it has come home; rejects if nothing does in time. */
  arrival(mark: string): Promise<Arrived> {
    return new Promise((resolve, reject) => {
      const overdue = setTimeout(() => reject(new Error("it did not arrive in time")), ARRIVAL_DEADLINE_MS)
      this.#awaited.set(mark, (what) => {
        clearTimeout(overdue)
        resolve(what)
      })
    })
  }

  async take({ by, kind, text, mark }: Received): Promise<void> {
    const bob = this.#bob
    if (!bob) return
    const [awaited] = [...this.#awaited.keys()].filter((candidate) => text.includes(candidate))
    if (awaited === undefined) return this.#seen({ by, kind, bobHeld: await bob.heldInClear(mark) })
    const had = { held: await bob.heldInClear(awaited), kept: await bob.keepsOnDisk(awaited) }
    this.#awaited.get(awaited)?.(had)
    this.#awaited.delete(awaited)
  }
}
