/** Finds the route for a connection. Built once from a configuration, swapped whole on reload, never changed in place. */
import { parentOf, type HostPattern, type Hostname } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { ListenerName, Match, Route } from "./route.ts"

type NamedBy = "sni" | "starttls-sni" | "host" | "recipient"

/** The names of one listener. */
type Names = { readonly exact: Map<Hostname, Route>; readonly below: Map<Hostname, Route> }

export class RouteTable {
  readonly routes: readonly Route[]
  readonly #byAddress = new Map<ListenerName, Map<IpAddress, Route>>()
  readonly #byPort = new Map<ListenerName, Route>()
  readonly #byName: Readonly<Record<NamedBy, Map<ListenerName, Names>>> = {
    sni: new Map(),
    "starttls-sni": new Map(),
    host: new Map(),
    recipient: new Map(),
  }

  constructor(routes: readonly Route[]) {
    this.routes = routes
    for (const route of routes) for (const match of route.matches) this.#add(match, route)
  }

  /** What is known at accept: a friend's own address, or a port that is wholly a friend's. Goes before every name. */
  atAccept(listener: ListenerName, local: IpAddress): Route | undefined {
    return this.#byAddress.get(listener)?.get(local) ?? this.#byPort.get(listener)
  }

  bySni(listener: ListenerName, name: Hostname): Route | undefined {
    return this.#named("sni", listener, name)
  }

  byStartTlsSni(listener: ListenerName, name: Hostname): Route | undefined {
    return this.#named("starttls-sni", listener, name)
  }

  byHost(listener: ListenerName, name: Hostname): Route | undefined {
    return this.#named("host", listener, name)
  }

  byRecipient(listener: ListenerName, domain: Hostname): Route | undefined {
    return this.#named("recipient", listener, domain)
  }

  /** Whether anything on this listener is found by a TLS name read after STARTTLS. */
  hasStartTls(listener: ListenerName): boolean {
    return this.routes.some(
      (route) => route.listener === listener && route.matches.some((m) => m.by === "starttls-sni"),
    )
  }

  /** The exact name first, then the wildcard one label up; nothing else, and never somebody else's route. */
  #named(by: NamedBy, listener: ListenerName, name: Hostname): Route | undefined {
    const names = this.#byName[by].get(listener)
    const exact = names?.exact.get(name)
    if (!names || exact) return exact
    const parent = parentOf(name)
    return parent && names.below.get(parent)
  }

  #add(match: Match, route: Route): void {
    switch (match.by) {
      case "address":
        for (const address of match.addresses) entryOf(this.#byAddress, route.listener, newMap).set(address, route)
        return
      case "port":
        this.#byPort.set(route.listener, route)
        return
      case "recipient":
        for (const domain of match.domains) this.#addName(match.by, domain, route)
        return
      case "sni":
      case "starttls-sni":
      case "host":
        for (const name of match.names) this.#addName(match.by, name, route)
        return
    }
  }

  #addName(by: NamedBy, { name, wildcard }: HostPattern, route: Route): void {
    const names = entryOf(this.#byName[by], route.listener, () => ({ exact: newMap(), below: newMap() }))
    const map = wildcard ? names.below : names.exact
    map.set(name, route)
  }
}

function newMap<Key, Value>(): Map<Key, Value> {
  return new Map()
}

function entryOf<Key, Value>(map: Map<Key, Value>, key: Key, make: () => Value): Value {
  const found = map.get(key) ?? make()
  map.set(key, found)
  return found
}
