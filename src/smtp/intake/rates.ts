/**
 * How often somebody may come in a minute: connections and messages of one source, messages for one friend. Counts only,
 * and only of the minute that runs; who comes from this machine is not counted (as Postfix: smtpd_client_event_limit_exceptions).
 */
import type { Clock } from "../../clock/clock.ts"
import { fault, type Fault } from "../../faults/faults.ts"
import { isLoopback, type IpAddress } from "../../names/ip-address.ts"
import { sourceOf } from "../../net/admission.ts"
import { MinuteCount } from "../../net/minute-count.ts"
import type { FriendName } from "../../route/route.ts"

export type RateLimits = {
  readonly connectionsPerSourcePerMinuteMax: number
  readonly mailsPerSourcePerMinuteMax: number
  readonly mailsPerFriendPerMinuteMax: number
}

export class Rates {
  readonly #limits: () => RateLimits
  readonly #connections: MinuteCount
  readonly #mails: MinuteCount
  readonly #friends: MinuteCount

  /** Asked every time, so that new limits hold for the next who comes. */
  constructor(limits: () => RateLimits, clock: Clock) {
    this.#limits = limits
    this.#connections = new MinuteCount(clock)
    this.#mails = new MinuteCount(clock)
    this.#friends = new MinuteCount(clock)
  }

  /** Counts a connection; why it is one too many. */
  connection(from: IpAddress): Fault | undefined {
    const max = this.#limits().connectionsPerSourcePerMinuteMax
    const fits = isLoopback(from) || this.#connections.add(sourceOf(from), max)
    return fits ? undefined : fault("CONNECTS_TOO_OFTEN", `${from}: more than ${max} in a minute`)
  }

  /** Counts a message; why it is one too many. */
  mail(from: IpAddress): Fault | undefined {
    const max = this.#limits().mailsPerSourcePerMinuteMax
    const fits = isLoopback(from) || this.#mails.add(sourceOf(from), max)
    return fits ? undefined : fault("MAILS_TOO_OFTEN", `${from}: more than ${max} in a minute`)
  }

  /** Counts a message for a friend; why it is one too many. */
  mailFor(friend: FriendName, from: IpAddress): Fault | undefined {
    const max = this.#limits().mailsPerFriendPerMinuteMax
    const fits = isLoopback(from) || this.#friends.add(friend, max)
    return fits ? undefined : fault("FRIEND_GETS_TOO_MUCH", `${friend}: more than ${max} in a minute`)
  }
}
