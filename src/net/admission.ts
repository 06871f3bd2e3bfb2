/**
 * How many connections there may be: from one source, for one friend, and in all. Counters only; who asks answers the
 * visitor with the fault that it gets instead of a ticket.
 */
import type { FaultCode } from "../faults/faults.ts"
import { ipAddressBytes, isIpv6, type IpAddress } from "../names/ip-address.ts"

export type AdmissionLimits = {
  readonly connectionsMax: number
  readonly connectionsPerSourceMax: number
  readonly connectionsPerFriendMax: number
}

export type AdmissionFault = Extract<FaultCode, "TOO_MANY_FROM_SOURCE" | "TOO_MANY_FOR_FRIEND" | "TOO_MANY_IN_ALL">

/** A connection that was let in. Given back once; giving it back again changes nothing. */
export interface Ticket {
  /** It has become known for whom the connection is: it counts as the friend's too, or the friend has no room for it. */
  assign(friend: string): AdmissionFault | undefined
  release(): void
}

export class Admission {
  readonly #limits: () => AdmissionLimits
  readonly #bySource = new Counts()
  readonly #byFriend = new Counts()
  #all = 0

  /** Asked every time, so that new limits hold for the next connection; those inside stay. */
  constructor(limits: () => AdmissionLimits) {
    this.#limits = limits
  }

  /** Connections that are inside. */
  get all(): number {
    return this.#all
  }

  /**
   * Lets a connection in. `source`: `undefined` where nobody is known but a trusted proxy; `friend`: `undefined` while it
   * is not known whose it is.
   */
  admit(source: IpAddress | undefined, friend: string | undefined): Ticket | AdmissionFault {
    return this.refusal(source, friend) ?? this.#enter(source && sourceOf(source), friend)
  }

  /** Why `admit` would refuse; `undefined` if it would not. */
  refusal(source: IpAddress | undefined, friend: string | undefined): AdmissionFault | undefined {
    const limits = this.#limits()
    if (this.#bySource.of(source && sourceOf(source)) >= limits.connectionsPerSourceMax) return "TOO_MANY_FROM_SOURCE"
    if (this.#byFriend.of(friend) >= limits.connectionsPerFriendMax) return "TOO_MANY_FOR_FRIEND"
    return this.#all >= limits.connectionsMax ? "TOO_MANY_IN_ALL" : undefined
  }

  #enter(source: string | undefined, friend: string | undefined): Ticket {
    let inside = true
    const assigned = new Set(friend === undefined ? [] : [friend])
    this.#all += 1
    this.#bySource.add(source, 1)
    this.#byFriend.add(friend, 1)
    return {
      assign: (other) => {
        if (!inside || assigned.has(other)) return undefined
        if (this.#byFriend.of(other) >= this.#limits().connectionsPerFriendMax) return "TOO_MANY_FOR_FRIEND"
        assigned.add(other)
        this.#byFriend.add(other, 1)
        return undefined
      },
      release: () => {
        if (!inside) return
        inside = false
        this.#all -= 1
        this.#bySource.add(source, -1)
        for (const each of assigned) this.#byFriend.add(each, -1)
      },
    }
  }
}

/** RFC 6177 §2, RFC 4291 §2.5.4: a site has at least a /64, so within one an address says nothing about who it is. */
const IPV6_SOURCE_BYTES = 8

/** Who comes, as far as an address tells. */
export function sourceOf(address: IpAddress): string {
  if (!isIpv6(address)) return address
  return Buffer.from(ipAddressBytes(address).subarray(0, IPV6_SOURCE_BYTES)).toString("hex")
}

/** How many of each; nothing is kept of those of which there are none. */
class Counts {
  readonly #counts = new Map<string, number>()

  of(key: string | undefined): number {
    return key === undefined ? 0 : (this.#counts.get(key) ?? 0)
  }

  add(key: string | undefined, change: 1 | -1): void {
    if (key === undefined) return
    const count = this.of(key) + change
    if (count > 0) this.#counts.set(key, count)
    else this.#counts.delete(key)
  }
}
