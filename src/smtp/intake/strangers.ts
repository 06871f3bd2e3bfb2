/** What a friend asks of senders whom nobody knows: on no block list, and patient enough to come twice. */
import type { Clock } from "../../clock/clock.ts"
import { fault, type Fault } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import type { Route } from "../../route/route.ts"
import type { Greylist } from "../../store/greylist.ts"

export type StrangersOptions = {
  readonly clock: Clock
  readonly greylist: Greylist
  /** Whether the address is on the list; rejects or says no where that cannot be found out. */
  readonly isListed: (address: IpAddress, list: Hostname) => Promise<boolean>
}

/** Ours: a list that has not answered by then lets everybody pass. */
export const LIST_MS = 5_000

export class Strangers {
  readonly #options: StrangersOptions

  constructor(options: StrangersOptions) {
    this.#options = options
  }

  /** Why this route takes nothing from the address; `undefined` if it does. All lists are asked at once. */
  async listed({ carry }: Route, address: IpAddress): Promise<Fault | undefined> {
    const lists = carry.mode === "peer" && carry.as === "mail" ? carry.blockLists : []
    const found = await Promise.all(lists.map(async (list) => ((await this.#asks(address, list)) ? list : undefined)))
    const first = found.find((list) => list !== undefined)
    return first && fault("ADDRESS_LISTED", `${address} is on ${first}`)
  }

  /** Why mail that is to be kept is not taken yet; `undefined` if it is. */
  greylisted({ carry }: Route, triple: Parameters<Greylist["passes"]>[0]): Fault | undefined {
    const asked = carry.mode === "peer" && carry.as === "mail" && carry.greylist
    if (!asked || this.#options.greylist.passes(triple, this.#options.clock.now())) return undefined
    return fault("GREYLISTED", `${triple.client} for ${triple.to}`)
  }

  #asks(address: IpAddress, list: Hostname): Promise<boolean> {
    const { clock, isListed } = this.#options
    return new Promise((resolve) => {
      const forget = clock.after(LIST_MS, () => resolve(false))
      void isListed(address, list)
        .catch(() => false)
        .then(resolve)
        .finally(forget)
    })
  }
}
