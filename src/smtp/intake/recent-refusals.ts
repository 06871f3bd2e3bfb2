/** Remembers for a moment that the spool would not take a friend's mail, so that the next sender hears it before the content. */
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Fault } from "../../faults/faults.ts"
import type { FriendName } from "../../route/route.ts"

/** Ours: shorter than any sender's retry, long enough to spare the megabytes of those who come together. */
export const REMEMBERED_MS = 5_000

export class RecentRefusals {
  readonly #clock: Clock
  readonly #byFriend = new Map<FriendName, { readonly why: Fault; readonly until: Instant }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Why mail for this friend is not taken at the moment. */
  current(friend: FriendName): Fault | undefined {
    const refusal = this.#byFriend.get(friend)
    if (refusal && refusal.until > this.#clock.now()) return refusal.why
    this.#byFriend.delete(friend)
    return undefined
  }

  /** Only what is about the spool counts; what is wrong with one message says nothing about the next. */
  remember(friend: FriendName, why: Fault): void {
    if (why.code !== "SPOOL_FULL" && why.code !== "QUOTA_FULL") return
    this.#byFriend.set(friend, { why, until: this.#clock.now() + REMEMBERED_MS })
  }
}
