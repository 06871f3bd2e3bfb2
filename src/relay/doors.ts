/** The doors of a relay: where connections arrive, and who takes over those that the relay takes part in. */
import type { Socket } from "node:net"
import type { Clock } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { WebProxy } from "../http/web-proxy.ts"
import type { Log } from "../log/log.ts"
import { Admission } from "../net/admission.ts"
import type { Engine } from "../net/engine.ts"
import { Resolved } from "../net/resolved.ts"
import type { MailServer } from "../smtp/intake/mail-server.ts"
import type { Accounts } from "./accounts.ts"
import type { Boxes } from "./boxes.ts"
import { HandedOverSockets } from "./handed-over.ts"
import type { Inherited } from "./inherited.ts"
import { OpenListeners } from "./open-listeners.ts"
import { passthrough, type HandedOver } from "./passthrough.ts"
import type { PreludeDoor } from "./prelude-door.ts"
import type { Standing } from "./standing.ts"
import type { Traffic } from "./traffic.ts"

/** What the relay stands on at this moment. Every part asks again, so that a reload reaches them all at once. */
export type Now = { standing: Standing }

export type Outside = {
  readonly clock: Clock
  readonly log: Log
  readonly engine: Engine
  readonly inherited?: Inherited | undefined
}

export type Doors = {
  /** None is open yet. */
  readonly listeners: OpenListeners
  /** Follows nothing yet. */
  readonly resolved: Resolved
  readonly handedOver: HandedOverSockets
}

/** Who takes over what the relay does not merely pass on. */
export type Peers = {
  readonly mail: MailServer
  readonly web: WebProxy
  readonly boxes: Boxes
  readonly prelude: PreludeDoor
  readonly accounts: Accounts
  readonly traffic: Traffic
}

export function doors(now: Now, outside: Outside, peers: Peers, closing: AsyncDisposableStack): Doors {
  const { clock, log, engine } = outside
  const { accounts, traffic } = peers
  const resolved = closing.adopt(new Resolved({ clock, log }), (following) => following.stop())
  const handedOver = closing.adopt(new HandedOverSockets(), (sockets) => sockets.cut())
  const decisions = passthrough({
    ground: () => now.standing,
    admission: new Admission(() => now.standing.config.limits),
    resolved,
    meterOf: (friend) => traffic.meterOf(friend),
    handOver: (socket, connection) => {
      handedOver.add(socket)
      take(socket, connection, now, { ...peers, engine })
    },
    greeted: peers.boxes.attached.greeted,
    log,
  })
  const listeners = new OpenListeners({
    engine,
    ask: decisions.ask,
    decideFor: decisions.decideFor,
    ended: (report) => {
      decisions.ended(report)
      accounts.add(report)
    },
    decideDeadlineMs: () => now.standing.config.limits.helloDeadlineMs,
    given: (place) => outside.inherited?.sockets.take(place) ?? [],
  })
  return { listeners, resolved, handedOver }
}

/** Gives a connection that the relay takes part in to whoever speaks its protocol. */
function take(socket: Socket, connection: HandedOver, now: Now, peers: Peers & { readonly engine: Engine }): void {
  const { mail, web, boxes: atHome, prelude, engine } = peers
  const { protocol, listener, route } = connection
  if (route?.carry.mode === "dedicated" && route.to.kind === "box") {
    const home = { ...route, to: route.to }
    return atHome.carry(socket, home, connection, (left, right, options) => engine.splice(left, right, options))
  }
  switch (protocol) {
    case "smtp":
      if (route !== undefined || !now.standing.table.hasStartTls(listener)) return mail.accept(socket, connection)
      return prelude.accept(socket, connection, protocol)
    case "imap":
    case "managesieve":
    case "xmpp":
      return prelude.accept(socket, connection, protocol)
    case "http":
      return web.accept(socket, { ...connection, tls: false })
    case "tunnel":
      return atHome.acceptTunnel(socket)
    case "tls":
    case "tcp":
      return void socket.destroy() // neither has a peer mode: a route there is dedicated, and was carried above
    default:
      return unreachable(protocol)
  }
}
