/**
 * The addresses of every backend that a configuration names, ready before a connection needs them: deciding must not
 * wait. A name is asked for again and again; while it does not resolve, the last good answer stays.
 */
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { ipAddress } from "../names/ip-address.ts"
import { resolve, type Lookup } from "./resolve.ts"

/** Ours: getaddrinfo(3) tells no TTL, and a friend who moves should be found again soon. */
export const RESOLVED_TTL_MS = 30_000

export type ResolvedOptions = { readonly clock: Clock; readonly log: Log; readonly lookup?: Lookup }

export class Resolved {
  readonly #options: ResolvedOptions
  /** What needs no resolving; each endpoint is asked for with every connection to it. */
  readonly #literal = new WeakMap<Endpoint, readonly SocketAddress[]>()
  #names: ReadonlyMap<string, Known> = new Map()
  #forgetTimer: (() => void) | undefined

  constructor(options: ResolvedOptions) {
    this.#options = options
  }

  /**
   * Follows these endpoints and no others from here on; resolves when each was asked for once. Who goes over from one
   * configuration to another follows both until it has gone over.
   */
  async follow(endpoints: readonly Endpoint[]): Promise<void> {
    const before = this.#names
    const named = endpoints.filter(({ host }) => !ipAddress(host)).map((each) => [endpointText(each), each] as const)
    this.#names = new Map(named.map(([text, endpoint]) => [text, before.get(text) ?? { endpoint, addresses: [] }]))
    await this.#ask()
  }

  /** In the order in which to try; empty if it never resolved. */
  addressesOf(endpoint: Endpoint): readonly SocketAddress[] {
    const known = this.#literal.get(endpoint)
    if (known) return known
    const address = ipAddress(endpoint.host)
    if (!address) return this.#names.get(endpointText(endpoint))?.addresses ?? []
    const addresses = [{ address, port: endpoint.port }]
    this.#literal.set(endpoint, addresses)
    return addresses
  }

  stop(): void {
    this.#names = new Map()
    this.#forgetTimer?.()
    this.#forgetTimer = undefined
  }

  async #ask(): Promise<void> {
    const following = this.#names
    await Promise.all([...following.values()].map((known) => this.#askFor(known)))
    if (this.#names !== following) return // others are followed by now, and asked for by whoever said so
    this.#forgetTimer?.()
    const again = (): void => void this.#ask()
    this.#forgetTimer = following.size > 0 ? this.#options.clock.after(RESOLVED_TTL_MS, again) : undefined
  }

  async #askFor(known: Known): Promise<void> {
    const { log, lookup } = this.#options
    try {
      known.addresses = await resolve(known.endpoint, lookup)
    } catch (error) {
      const using = known.addresses.map(endpointText).join(", ")
      log.warn("backend-unresolved", { backend: endpointText(known.endpoint), using, detail: String(error) })
    }
  }
}

type Known = { readonly endpoint: Endpoint; addresses: readonly SocketAddress[] }
