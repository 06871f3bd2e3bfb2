/** Finds the route for a connection. Built once from a configuration, swapped whole on reload, never changed in place. */
import { parentOf, type HostPattern, type Hostname } from "../names/hostname.ts"
import type { IpAddress } from "../names/ip-address.ts"
import type { ListenerName, Match, Route } from "./route.ts"

type NameKey = `${"sni" | "starttls-sni" | "host" | "recipient"} ${ListenerName} ${"=" | "*"}${string}`

export class RouteTable {
  readonly routes: readonly Route[]
  readonly #byAddress = new Map<string, Route>()
  readonly #byPort = new Map<ListenerName, Route>()
  readonly #byName = new Map<NameKey, Route>()

  constructor(routes: readonly Route[]) {
    this.routes = routes
    for (const route of routes) for (const match of route.matches) this.#add(match, route)
  }

  /** What is known at accept: a friend's own address, or a port that is wholly a friend's. Goes before every name. */
  atAccept(listener: ListenerName, local: IpAddress): Route | undefined {
    return this.#byAddress.get(`${listener} ${local}`) ?? this.#byPort.get(listener)
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
  #named(by: "sni" | "starttls-sni" | "host" | "recipient", listener: ListenerName, name: Hostname): Route | undefined {
    const parent = parentOf(name)
    return (
      this.#byName.get(`${by} ${listener} =${name}`) ?? (parent && this.#byName.get(`${by} ${listener} *${parent}`))
    )
  }

  #add(match: Match, route: Route): void {
    switch (match.by) {
      case "address":
        for (const address of match.addresses) this.#byAddress.set(`${route.listener} ${address}`, route)
        return
      case "port":
        this.#byPort.set(route.listener, route)
        return
      case "recipient":
        for (const domain of match.domains) this.#byName.set(key(match.by, route.listener, domain), route)
        return
      case "sni":
      case "starttls-sni":
      case "host":
        for (const name of match.names) this.#byName.set(key(match.by, route.listener, name), route)
        return
    }
  }
}

function key(by: "sni" | "starttls-sni" | "host" | "recipient", listener: ListenerName, name: HostPattern): NameKey {
  return `${by} ${listener} ${name.wildcard ? "*" : "="}${name.name}`
}
