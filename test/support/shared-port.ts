/** A port that friends share by STARTTLS, as the relay opens it, with everything around it that a test may want otherwise. */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"
import { createSecureContext } from "node:tls"
import { systemClock } from "../../src/clock/clock.ts"
import type { FaultCode } from "../../src/faults/faults.ts"
import { silentLog } from "../../src/log/log.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import { dial } from "../../src/net/dial.ts"
import { PreludeAccounts } from "../../src/relay/prelude-accounts.ts"
import { preludeDoor } from "../../src/relay/prelude-door.ts"
import { meetHome, type HomeOptions } from "../../src/relay/prelude-home.ts"
import { turnAway } from "../../src/relay/turned-away.ts"
import type { Otherwise, Route, StartTls, ToldBy } from "../../src/route/route.ts"
import { address, at } from "./loopback.ts"
import { keyPair, type KeyPair } from "./key-pair.ts"
import { startMailHost, type MailHost } from "./smtp-dialogue.ts"

export type SharedPortOptions = {
  readonly protocol?: StartTls
  readonly otherwise?: Otherwise
  readonly offers?: readonly string[]
  readonly nobodyHome?: FaultCode
  readonly tooMany?: FaultCode
  readonly deadlineMs?: number
  readonly homeDeadlineMs?: number
}

export type SharedPort = AsyncDisposable & {
  readonly port: number
  /** The relay's own. */
  readonly pair: KeyPair
  /** The relay as the end. */
  readonly peer: MailHost
  /** `listener friend sender outcome count`, one for each kind that came. */
  readonly counted: () => readonly string[]
}

export const named = (name: string) => hostname(name) as Hostname // a test's own names are names

export function dedicated(
  friend: string,
  port: number,
  otherwise: Otherwise = "refuse",
  proxy: ToldBy = "none",
): Route {
  return {
    friend,
    listener: "smtp",
    protocol: "smtp",
    matches: [],
    carry: { mode: "dedicated", proxy, otherwise },
    to: { kind: "tcp", to: [{ host: address("127.0.0.1"), port }] },
  }
}

/** Bob's port with a route for each name. */
export async function openSharedPort(
  routes: Readonly<Record<string, Route>>,
  more: SharedPortOptions = {},
): Promise<SharedPort> {
  const pair = await keyPair("relay.bob.example")
  const peer = await startMailHost({ tls: pair })
  const accounts = new PreludeAccounts()
  const home: HomeOptions = {
    dial: (route) => (route.to.kind === "tcp" ? dial(route.to.to[0], 2_000) : Promise.reject(new Error("no box"))),
    deadlineMs: () => more.homeDeadlineMs ?? 2_000,
    heard: () => {},
    clock: systemClock,
  }
  const door = preludeDoor({
    name: named("relay.bob.example"),
    routeFor: (_listener, name) => routes[name],
    otherwise: () => more.otherwise ?? "refuse",
    offers: () => more.offers ?? [],
    nobodyHome: () => more.nobodyHome,
    meet: (meeting) => meetHome(meeting, home),
    becomeEnd: (socket, visitor, begun) => peer.server.accept(socket, { ...visitor, ...begun }),
    turnAway: (socket, text) => turnAway(socket, text, createSecureContext(pair), systemClock),
    deadlineMs: () => more.deadlineMs ?? 5_000,
    idleDeadlineMs: () => 60_000,
    accounts,
    meterOf: () => undefined,
    clock: systemClock,
    log: silentLog,
  })
  const protocol = more.protocol ?? "smtp"
  const belongsTo = () => more.tooMany
  const visitor = { listener: protocol, protocol, route: undefined, hello: undefined, belongsTo } as const
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    door.accept(socket, { ...visitor, remote: at("192.0.2.9", 50_000), local: at("127.0.0.1", 25) }, protocol)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  const counted = () =>
    accounts.all().connections.map(({ labels, connections }) => [...Object.values(labels), connections].join(" "))
  const { port } = server.address() as AddressInfo // of a TCP server that listens
  return {
    port,
    pair,
    peer,
    counted,
    async [Symbol.asyncDispose]() {
      server.close()
      await peer[Symbol.asyncDispose]()
    },
  }
}
