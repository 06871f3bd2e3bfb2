/** Makes the parts of a relay and gives them to each other. Each is closed by `closing`, also when a later one fails. */
import { mkdir } from "node:fs/promises"
import type { Socket } from "node:net"
import { ownCertificate } from "../cert/own-certificate.ts"
import type { Clock } from "../clock/clock.ts"
import { webProxy, type WebProxy } from "../http/web-proxy.ts"
import type { Log } from "../log/log.ts"
import { unreachable } from "../faults/unreachable.ts"
import { Admission } from "../net/admission.ts"
import { chooseEngine } from "../net/choose-engine.ts"
import type { Engine } from "../net/engine.ts"
import { Resolved } from "../net/resolved.ts"
import { routeName } from "../route/route.ts"
import { mailDelivery, type MailDelivery } from "../smtp/delivery/mail-delivery.ts"
import { mailServer, type MailServer } from "../smtp/intake/mail-server.ts"
import type { Spool } from "../store/spool.ts"
import { openSpool } from "../store/sqlite-spool.ts"
import { Accounts } from "./accounts.ts"
import { openAdmin } from "./admin.ts"
import { dialRoute } from "./dial-route.ts"
import { metricsOf } from "./metrics.ts"
import { OpenListeners, type Bound } from "./open-listeners.ts"
import { passthrough, type HandedOver } from "./passthrough.ts"
import type { Standing } from "./standing.ts"

/** What the relay stands on at this moment. Every part asks again, so that a reload reaches them all at once. */
export type Now = { standing: Standing }

export type Outside = {
  readonly clock: Clock
  readonly log: Log
  /** The best one that runs here, if not given. */
  readonly engine?: Engine | undefined
}

export type Parts = {
  readonly delivery: MailDelivery
  readonly mail: MailServer
  readonly web: WebProxy
  /** None is open yet. */
  readonly listeners: OpenListeners
  /** Follows nothing yet. */
  readonly resolved: Resolved
  readonly admin: Bound | undefined
}

/** Keys and other people's mail are in the state folder. */
const STATE_MODE = 0o700

export async function openParts(now: Now, outside: Outside, closing: AsyncDisposableStack): Promise<Parts> {
  const { relay, limits } = now.standing.config
  await mkdir(relay.state, { recursive: true, mode: STATE_MODE })
  const options = { log: outside.log, perFriendBytesMax: limits.spoolPerFriendBytesMax }
  const spool = closing.adopt(await openSpool(relay.state, options), (opened) => opened.close())
  const accounts = new Accounts()
  const admin = await adminIfAsked(now, { accounts, spool }, closing)
  const { delivery, mail } = await mailParts(now, outside, spool)
  const web = webPart(now, outside)
  const { listeners, resolved } = listenersFor(now, outside, { mail, web, accounts }, closing)
  return { delivery, mail, web, listeners, resolved, admin }
}

async function adminIfAsked(
  now: Now,
  about: { accounts: Accounts; spool: Spool },
  closing: AsyncDisposableStack,
): Promise<Bound | undefined> {
  const asked = now.standing.config.relay.admin
  if (!asked) return undefined
  const friends = (): readonly string[] => now.standing.config.friends.map(({ name }) => name)
  const sources = {
    verdicts: () => now.standing.verdicts,
    metrics: () => metricsOf(about.accounts, about.spool, friends()),
  }
  const { bound } = closing.use(await openAdmin(asked, sources))
  return { listener: "admin", asked, bound }
}

async function mailParts(now: Now, { clock, log }: Outside, spool: Spool): Promise<Pick<Parts, "delivery" | "mail">> {
  const {
    relay: { name, state },
    limits,
  } = now.standing.config
  const delivery = mailDelivery({
    spool,
    name,
    routeOf: (friend, domain) => now.standing.mailRoute(friend, domain),
    clock,
    log,
    limits,
    ownAddresses: now.standing.mailAddresses,
  })
  const mail = mailServer({
    name,
    tls: await ownCertificate(state, name, clock),
    spool,
    routeFor: (listener, domain) => now.standing.table.byRecipient(listener, domain),
    limits,
    clock,
    log,
    kept: () => delivery.nudge(),
  })
  return { delivery, mail }
}

function webPart(now: Now, { clock, log }: Outside): WebProxy {
  return webProxy({
    name: now.standing.config.relay.name,
    routeFor: (listener, host, local) => now.standing.webRoute(listener, host, local),
    dial: dialRoute,
    log,
    clock,
  })
}

type Peers = { readonly mail: MailServer; readonly web: WebProxy; readonly accounts: Accounts }

function listenersFor(
  now: Now,
  outside: Outside,
  { mail, web, accounts }: Peers,
  closing: AsyncDisposableStack,
): Pick<Parts, "listeners" | "resolved"> {
  const { clock, log } = outside
  const resolved = closing.adopt(new Resolved({ clock, log }), (following) => following.stop())
  const decisions = passthrough({
    ground: () => now.standing,
    admission: new Admission(() => now.standing.config.limits),
    resolved,
    handOver: (socket, connection) => take(socket, connection, { mail, web, log }),
    log,
  })
  const listeners = new OpenListeners({
    engine: closing.adopt(outside.engine ?? chooseEngine({ log }), (engine) => engine.close()),
    ask: decisions.ask,
    decideFor: decisions.decideFor,
    ended: (report) => {
      decisions.ended(report)
      accounts.add(report)
    },
    decideDeadlineMs: () => now.standing.config.limits.helloDeadlineMs,
  })
  return { listeners, resolved }
}

/** Gives a connection that the relay takes part in to whoever speaks its protocol. */
function take(
  socket: Socket,
  connection: HandedOver,
  { mail, web, log }: Omit<Peers, "accounts"> & { log: Log },
): void {
  const { protocol, listener, route } = connection
  if (route?.to.kind === "box") {
    log.warn("box-not-attached", { route: routeName(route) })
    return void socket.destroy()
  }
  switch (protocol) {
    case "smtp":
      return mail.accept(socket, connection)
    case "http":
      return web.accept(socket, { ...connection, tls: false })
    case "tls":
    case "tcp":
    case "tunnel":
      log.warn("nobody-takes-it", { listener, protocol })
      return void socket.destroy()
    default:
      return unreachable(protocol)
  }
}
