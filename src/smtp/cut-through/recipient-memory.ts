/**
 * What the friend's server said of recipients, for the time when it is away: whom it did not know is refused then too,
 * and everybody else is taken. In memory alone, and bounded.
 */
import type { Clock, Instant } from "../../clock/clock.ts"
import type { FriendName } from "../../route/route.ts"
import type { Reply } from "../delivery/reply.ts"

/** As Postfix (address_verify_negative_refresh_time): a new address works after this at the latest. */
export const UNKNOWN_MS = 3 * 3_600_000
/** As Postfix (address_verify_positive_refresh_time). */
export const KNOWN_MS = 7 * 24 * 3_600_000
/** Ours: some megabytes. The oldest are forgotten. */
export const RECIPIENTS_REMEMBERED_MAX = 20_000

type Remembered = { readonly known: boolean; readonly until: Instant }

export class RecipientMemory {
  readonly #clock: Clock
  readonly #remembered = new Map<string, Remembered>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** `undefined`: nothing is known that still holds. */
  isKnown(friend: FriendName, address: string): boolean | undefined {
    const key = keyOf(friend, address)
    const remembered = this.#remembered.get(key)
    if (remembered && this.#clock.now() < remembered.until) return remembered.known
    this.#remembered.delete(key)
    return undefined
  }

  /** Only what is about the recipient counts: a refusal for who sends, or how, says nothing about the next sender. */
  remember(friend: FriendName, address: string, reply: Reply): void {
    const known = reply.code < 300
    if (!known && !isUnknownRecipient(reply)) return
    const key = keyOf(friend, address)
    this.#remembered.delete(key) // so that it goes to the end of the line
    this.#remembered.set(key, { known, until: this.#clock.now() + (known ? KNOWN_MS : UNKNOWN_MS) })
    const [oldest] = this.#remembered.keys()
    if (this.#remembered.size > RECIPIENTS_REMEMBERED_MAX && oldest !== undefined) this.#remembered.delete(oldest)
  }
}

/** RFC 3463 §3.2: 5.1.1 bad mailbox, 5.1.6 moved, 5.1.10 null MX, 5.2.1 disabled. Without a status, what RFC 5321 §4.2.3 has for it. */
function isUnknownRecipient({ code, status }: Reply): boolean {
  return status === undefined ? code === 550 : code >= 500 && /^5\.(?:1\.(?:1|6|10)|2\.1)$/.test(status)
}

function keyOf(friend: FriendName, address: string): string {
  return `${friend} ${address.toLowerCase()}`
}
