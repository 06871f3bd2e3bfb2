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
  readonly #inside = new Inside()

  /** Asked every time, so that new limits hold for the next connection; those inside stay. */
  constructor(limits: () => AdmissionLimits) {
    this.#limits = limits
  }

  /** Connections that are inside. */
  get all(): number {
    return this.#inside.all
  }

  /**
   * Lets a connection in. `source`: `undefined` where nobody is known but a trusted proxy; `friend`: `undefined` while it
   * is not known whose it is.
   */
  admit(source: IpAddress | undefined, friend: string | undefined): Ticket | AdmissionFault {
    const refusal = this.refusal(source, friend)
    return refusal ?? new Entry(this.#inside, this.#limits, source && sourceOf(source), friend)
  }

  /** Why `admit` would refuse; `undefined` if it would not. */
  refusal(source: IpAddress | undefined, friend: string | undefined): AdmissionFault | undefined {
    const { all, bySource, byFriend } = this.#inside
    const limits = this.#limits()
    if (bySource.of(source && sourceOf(source)) >= limits.connectionsPerSourceMax) return "TOO_MANY_FROM_SOURCE"
    if (byFriend.of(friend) >= limits.connectionsPerFriendMax) return "TOO_MANY_FOR_FRIEND"
    return all >= limits.connectionsMax ? "TOO_MANY_IN_ALL" : undefined
  }
}

/** Everybody who was let in and has not left. */
class Inside {
  all = 0
  readonly bySource = new Counts()
  readonly byFriend = new Counts()
}

/** One of them. Every connection has one, so it is small. */
class Entry implements Ticket {
  readonly #inside: Inside
  readonly #limits: () => AdmissionLimits
  readonly #source: string | undefined
  readonly #friend: string | undefined
  /** Whose it turned out to be as well. */
  #others: string[] | undefined
  #released = false

  constructor(inside: Inside, limits: () => AdmissionLimits, source: string | undefined, friend: string | undefined) {
    this.#inside = inside
    this.#limits = limits
    this.#source = source
    this.#friend = friend
    inside.all += 1
    inside.bySource.add(source, 1)
    inside.byFriend.add(friend, 1)
  }

  assign(friend: string): AdmissionFault | undefined {
    if (this.#released || friend === this.#friend || this.#others?.includes(friend)) return undefined
    if (this.#inside.byFriend.of(friend) >= this.#limits().connectionsPerFriendMax) return "TOO_MANY_FOR_FRIEND"
    this.#inside.byFriend.add(friend, 1)
    this.#others = [...(this.#others ?? []), friend]
    return undefined
  }

  release(): void {
    if (this.#released) return
    this.#released = true
    this.#inside.all -= 1
    this.#inside.bySource.add(this.#source, -1)
    this.#inside.byFriend.add(this.#friend, -1)
    for (const friend of this.#others ?? []) this.#inside.byFriend.add(friend, -1)
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
