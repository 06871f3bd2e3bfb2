/**
 * Direct where possible: for each service that its owner lists as direct, the box opens a port of its own, has the home
 * router lead there, and asks its relays whether they can reach it. Nothing is published here; what could be is said.
 *
 * A relay's "reached" counts only where this box has seen that very connection arrive: then no second router stands in
 * between, and the visitors' true addresses arrive too.
 */
import type { Clock } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import { endpointText, type Port, type SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import { keepMapped, type KeptMapping } from "../portmap/keep-mapped.ts"
import type { Mapping, Wish } from "../portmap/port-mapper.ts"
import type { ReachAnswer } from "../tunnel/reach.ts"
import type { DirectDoor } from "./direct-door.ts"

/** Ours: a provider gives a home another address at night; visitors have the relay in the meantime. */
const CHECK_EVERY_MS = 5 * 60_000
/** Ours: while it does not work, or a tunnel has only just come up. */
const CHECK_SOON_MS = 30_000

export type DirectState =
  | { readonly at: "asking" }
  | {
      readonly at: "possible"
      readonly place: SocketAddress
      readonly by: Mapping["by"]
      /** The relay that was there. */
      readonly seenFrom: string
    }
  | { readonly at: "not-possible"; readonly because: string }

export type DirectStatus = { readonly service: string; readonly port: Port; readonly state: DirectState }

/** A relay whose tunnel is up. */
export type Asker = { readonly relay: string; readonly ask: (port: Port) => Promise<ReachAnswer | undefined> }

export type DirectOptions = {
  readonly service: string
  /** At which the world is to find it. */
  readonly port: Port
  /** This machine's address on the home network. */
  readonly own: IpAddress
  readonly openDoor: (wished: SocketAddress) => Promise<DirectDoor>
  readonly map: (wish: Wish, signal: AbortSignal) => Promise<Mapping>
  /** Asked each time: tunnels come and go. */
  readonly askers: () => readonly Asker[]
  readonly clock: Clock
  readonly changed: () => void
}

export type Direct = {
  status(): DirectStatus
  /** Asks the relays again. */
  look(): void
  /** Closes the door, and has the router forget it. */
  stop(): Promise<void>
}

export async function keepDirect(options: DirectOptions): Promise<Direct> {
  const { service, port, own, clock, changed } = options
  const door = await options.openDoor({ address: own, port })
  const wish = { internalPort: door.bound.port, externalPort: port }
  let state: DirectState = { at: "asking" }
  let cancel = () => {}
  let stopped = false
  let round = 0
  const look = async () => {
    cancel()
    const mine = ++round
    const found = await findOut(mapping, door, options.askers())
    if (stopped || mine !== round) return // a newer look is under way
    state = found
    cancel = clock.after(found.at === "possible" ? CHECK_EVERY_MS : CHECK_SOON_MS, () => void look())
    changed()
  }
  const mapping: KeptMapping = keepMapped(
    (signal) => options.map(wish, signal),
    clock,
    () => void look(),
  )
  return {
    status: () => ({ service, port, state }),
    look: () => void look(),
    stop: async () => {
      stopped = true
      cancel()
      await Promise.all([mapping.stop(), door.stop()])
    },
  }
}

async function findOut(mapping: KeptMapping, door: DirectDoor, askers: readonly Asker[]): Promise<DirectState> {
  const mapped = mapping.state()
  switch (mapped.at) {
    case "asking":
      return { at: "asking" }
    case "refused":
      return { at: "not-possible", because: `the home router opens no port (${mapped.because})` }
    case "mapped": {
      const reasons: string[] = []
      for (const asker of askers) {
        const why = whyNot(mapped.external, await asker.ask(mapped.external.port), door)
        if (why === undefined) return { at: "possible", place: mapped.external, by: mapped.by, seenFrom: asker.relay }
        reasons.push(`${asker.relay} ${why}`)
      }
      return { at: "not-possible", because: reasons.join("; ") || "no relay is attached that could be asked" }
    }
    default:
      return unreachable(mapped)
  }
}

/** `undefined`: the relay was here, at the address that the router calls its own. */
function whyNot(external: SocketAddress, answer: ReachAnswer | undefined, door: DirectDoor): string | undefined {
  if (!answer) return "does not answer such questions"
  if (answer.at.address !== external.address)
    return `sees this home at ${answer.at.address}, and the router says ${external.address}: a second router stands in between`
  if (!answer.from) return `reaches nobody at ${endpointText(answer.at)}`
  return door.cameFrom(answer.from) ? undefined : `reaches somebody at ${endpointText(answer.at)}, but not this box`
}

/** One line for people. */
export function describeDirect({ port, state }: DirectStatus): string {
  switch (state.at) {
    case "asking":
      return `port ${port}: asking the home router`
    case "possible":
      return `possible at ${endpointText(state.place)}, seen from relay ${state.seenFrom} (the router maps it by ${state.by})`
    case "not-possible":
      return `not possible at port ${port}: ${state.because}`
    default:
      return unreachable(state)
  }
}
