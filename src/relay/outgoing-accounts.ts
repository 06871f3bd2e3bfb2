/** Counts friends' connections to the outside: holds them to what was agreed, and knows what became of all. */
import type { Clock, Instant } from "../clock/clock.ts"
import type { FaultCode } from "../faults/faults.ts"
import type { FriendName, OutgoingMail } from "../route/route.ts"

/** What `waypost traffic` and the metrics show of a friend. */
export type OutgoingCounts = { readonly running: number; readonly lastHour: number }

export type OutgoingOutcome = {
  readonly labels: { readonly friend: FriendName; readonly outcome: "opened" | FaultCode }
  connections: number
}

const HOUR_MS = 3_600_000

type Account = { running: number; begun: Instant[] }

export class OutgoingAccounts {
  readonly #clock: Clock
  readonly #accounts = new Map<FriendName, Account>()
  readonly #outcomes = new Map<string, OutgoingOutcome>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Lets one more begin; the returned function, called once, ends it. `undefined`: there are as many as agreed. */
  begin(friend: FriendName, { connectionsMax, connectionsPerHourMax }: OutgoingMail): (() => void) | undefined {
    const account = this.#account(friend)
    if (account.running >= connectionsMax || account.begun.length >= connectionsPerHourMax) return undefined
    account.running += 1
    account.begun.push(this.#clock.now())
    return () => void (account.running -= 1)
  }

  count(friend: FriendName, outcome: "opened" | FaultCode): void {
    const key = `${friend} ${outcome}`
    const counted = this.#outcomes.get(key) ?? { labels: { friend, outcome }, connections: 0 }
    counted.connections += 1
    this.#outcomes.set(key, counted)
  }

  /** `undefined`: nothing within the last hour. */
  of(friend: FriendName): OutgoingCounts | undefined {
    const { running, begun } = this.#account(friend)
    return running + begun.length > 0 ? { running, lastHour: begun.length } : undefined
  }

  outcomes(): readonly Readonly<OutgoingOutcome>[] {
    return [...this.#outcomes.values()]
  }

  /** Without what began more than an hour ago. */
  #account(friend: FriendName): Account {
    const account = this.#accounts.get(friend) ?? { running: 0, begun: [] }
    const hourAgo = this.#clock.now() - HOUR_MS
    const firstOfHour = account.begun.findIndex((at) => at > hourAgo)
    if (firstOfHour !== 0) account.begun.splice(0, firstOfHour < 0 ? account.begun.length : firstOfHour)
    this.#accounts.set(friend, account)
    return account
  }
}
