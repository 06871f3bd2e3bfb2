/** The configuration that a relay stands on at the moment, with everything that is derived from it. Replaced whole. */
import { routesOf, type Config, type Listener } from "../config/config.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import { patternText, type Hostname } from "../names/hostname.ts"
import type { Verdict } from "../policy/verdict.ts"
import {
  isHeldToTls,
  sealedTo,
  type FriendName,
  type ListenerName,
  type Otherwise,
  type Route,
} from "../route/route.ts"
import { RouteTable } from "../route/table.ts"
import { keptPromises } from "./assessment.ts"
import { entrancesOf } from "./public-places.ts"

export class Standing {
  readonly config: Config
  readonly verdicts: readonly Verdict[]
  readonly table: RouteTable
  readonly #listeners: ReadonlyMap<ListenerName, Listener>

  /** Throws PROMISE_BROKEN. */
  constructor(config: Config) {
    this.config = config
    this.verdicts = keptPromises(config)
    this.table = new RouteTable(routesOf(config))
    this.#listeners = new Map(config.listeners.map((listener) => [listener.name, listener]))
  }

  listener(name: ListenerName): Listener | undefined {
    return this.#listeners.get(name)
  }

  /** Whose a recipient's domain is on this listener, also where the mail is meant to pass end to end. */
  recipientRoute(listener: ListenerName, domain: Hostname): Route | undefined {
    return this.table.byRecipient(listener, domain) ?? this.table.byStartTlsSni(listener, domain)
  }

  /** Whether some friend's mail that comes in there goes on over checked TLS alone. */
  holdsTls(listener: ListenerName): boolean {
    return this.table.routes.some((route) => route.listener === listener && isHeldToTls(route))
  }

  /** What senders get on a shared mail listener whose TLS names nobody: the relay as the end where one friend allows it. */
  otherwise(listener: ListenerName): Otherwise {
    const takesMail = (route: Route) =>
      route.listener === listener && route.matches.some(({ by }) => by === "recipient")
    return this.table.routes.some(takesMail) ? "peer" : "refuse"
  }

  /** Whose mail servers share a port, told apart by the name behind STARTTLS. */
  get sharedMailRoutes(): readonly Route[] {
    const shares = ({ protocol, matches }: Route) =>
      protocol === "smtp" && matches.some(({ by }) => by === "starttls-sni")
    return this.table.routes.filter(shares)
  }

  /** What a friend's box is shown when it attaches (docs/tunnel-protocol.md §2). */
  shownTo(friend: FriendName): object {
    const domains = this.config.friends.find(({ name }) => name === friend)?.domains.map(patternText) ?? []
    const verdicts = this.verdicts.filter((verdict) => verdict.friend === friend)
    const seals = routesOf(this.config).flatMap((route) => {
      const to = route.friend === friend ? sealedTo(route) : undefined
      return to ? [{ listener: route.listener, to }] : []
    })
    return { relay: this.config.relay.name, domains, verdicts, entrances: entrancesOf(this.config, friend), seals }
  }

  /** Where mail for a domain goes that a friend left with us, or anybody if none is named: on whichever listener it came. */
  mailRoute(friend: FriendName | undefined, domain: Hostname): Route | undefined {
    return this.config.listeners
      .map(({ name }) => this.table.byRecipient(name, domain))
      .find((route) => route !== undefined && (friend === undefined || route.friend === friend))
  }

  /** What a request on a listener leads to: a friend's own address goes before every name. */
  webRoute(listener: ListenerName, host: Hostname, local: IpAddress): Route | undefined {
    return this.table.atAccept(listener, local) ?? this.table.byHost(listener, host)
  }

  /** Where this relay takes mail itself: a next hop that is one of them would be a loop. */
  get mailAddresses(): readonly SocketAddress[] {
    return this.config.listeners.filter(({ protocol }) => protocol === "smtp").flatMap(({ bind }) => bind)
  }
}

/** Where its routes lead over TCP. */
export function backendsOf(config: Config): readonly Endpoint[] {
  return routesOf(config).flatMap(({ to }) => (to.kind === "tcp" ? to.to : []))
}

/** What is read only when the relay starts. */
const FIXED = {
  "relay.name": ({ relay }) => relay.name,
  "relay.state": ({ relay }) => relay.state,
  "relay.admin": ({ relay }) => relay.admin && endpointText(relay.admin),
  "relay.resolver": ({ relay: { resolver } }) =>
    resolver && `${resolver.at.map(endpointText).join(" ")} ${resolver.trusted}`,
  "limits.message-max": ({ limits }) => limits.messageBytesMax,
  "limits.spool-per-friend-max": ({ limits }) => limits.spoolPerFriendBytesMax,
  "limits.messages-per-friend-max": ({ limits }) => limits.messagesPerFriendMax,
  "limits.deliveries-per-friend-max": ({ limits }) => limits.deliveriesPerFriendMax,
  "limits.mail-lifetime": ({ limits }) => limits.mailLifetimeMs,
} as const satisfies Record<string, (config: Config) => string | number | undefined>

/** The settings that differ and that a running relay cannot change. */
export function restartNeededFor(before: Config, after: Config): readonly string[] {
  return Object.entries(FIXED).flatMap(([setting, read]) => (read(before) === read(after) ? [] : [setting]))
}
