/** A running delivery over a real spool and scripted next hops, with time and chance in the test's hands. */
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import type { Backend, NextHopTls, Route } from "../../src/route/route.ts"
import { dialTcp } from "../../src/smtp/delivery/dial.ts"
import { mailDelivery, type DeliveryOptions, type MailDelivery } from "../../src/smtp/delivery/mail-delivery.ts"
import type { Envelope, KeptMessage, MessageId, Spool } from "../../src/store/spool.ts"
import { handClock, type HandClock } from "./hand-clock.ts"
import { keptLog, type KeptLog } from "./kept-log.ts"
import type { NextHop } from "./next-hop.ts"
import { keep, temporarySpool } from "./spool.ts"
import { eventually } from "./eventually.ts"

export const BOB = checked("relay.bob.example")
const LOOPBACK = ipAddress("127.0.0.1") as IpAddress
export const MINUTE_MS = 60_000
export const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

export type Desk = AsyncDisposable & {
  readonly spool: Spool
  readonly clock: HandClock
  readonly log: KeptLog
  readonly delivery: MailDelivery
  /** Puts a message into the spool and tells delivery. */
  mail(about?: Partial<Envelope>, content?: string): Promise<MessageId>
  /** What the spool says of a message; `undefined` when it is gone. */
  attempt(id: MessageId): Promise<KeptMessage["recipients"][number]["attempt"] | undefined>
  /** Resolves when the message is gone. */
  gone(id: MessageId): Promise<unknown>
  /** Resolves when every recipient waits for a later instant. */
  deferred(id: MessageId): Promise<unknown>
}

/** `broken` replaces what delivery sees of the spool; the test itself sees it whole. The spool is new unless given. */
export async function desk(
  options: Partial<DeliveryOptions> & Pick<DeliveryOptions, "routeOf">,
  broken: (spool: Spool) => Partial<Spool> = () => ({}),
  given?: Spool,
): Promise<Desk> {
  const kept = given ? undefined : await temporarySpool()
  const spool = given ?? kept?.spool
  if (!spool) throw new Error("unreachable")
  const clock = handClock()
  const log = keptLog()
  const limits = { connectDeadlineMs: 10_000, mailLifetimeMs: 21 * DAY_MS, deliveriesPerFriendMax: 10 }
  const delivery = mailDelivery({
    spool: asSeen(spool, broken(spool)),
    name: BOB,
    clock,
    log,
    limits,
    dice: () => 0,
    ...options,
  })
  delivery.start()
  const recipients = async (id: MessageId) => (await spool.find(id))?.recipients ?? []
  return {
    spool,
    clock,
    log,
    delivery,
    mail: async (about = {}, content = "Subject: noon\r\n\r\nMeet me\r\n") => {
      const id = await keep(spool, content, { receivedAt: clock.now(), ...about })
      delivery.nudge()
      return id
    },
    attempt: async (id) => (await recipients(id))[0]?.attempt,
    gone: (id) => eventually(`${id} is gone`, async () => (await spool.find(id)) === undefined),
    deferred: (id) =>
      eventually(`${id} waits`, async () =>
        (await recipients(id)).every(
          ({ attempt }) => attempt.at === "done" || (attempt.at === "waiting" && attempt.until > clock.now()),
        ),
      ),
    async [Symbol.asyncDispose]() {
      await delivery.stop()
      await kept?.[Symbol.asyncDispose]()
    },
  }
}

function asSeen(spool: Spool, broken: Partial<Spool>): Spool {
  return new Proxy(spool, {
    get: (target, name: keyof Spool) => broken[name] ?? target[name].bind(target),
  })
}

/** Dave's peer mail route to a hop on loopback. */
export function routeTo(hop: Pick<NextHop, "port">, tls: NextHopTls = "opportunistic", friend = "dave"): Route {
  return routeFor({ kind: "tcp", to: [{ host: LOOPBACK, port: hop.port }] }, tls, friend)
}

export function routeFor(to: Backend, tls: NextHopTls = "opportunistic", friend = "dave"): Route {
  return {
    friend,
    listener: "smtp",
    protocol: "smtp",
    matches: [{ by: "recipient", domains: [{ name: checked(`${friend}.example`), wildcard: false }] }],
    carry: {
      mode: "peer",
      as: "mail",
      recipients: { kind: "any" },
      tls,
      cutThrough: false,
      greylist: false,
      blockLists: [],
    },
    to,
  }
}

/** Finds a route as the relay does: by friend, if one is named, and domain. */
export function routesOf(...routes: readonly Route[]): DeliveryOptions["routeOf"] {
  return (friend, domain) =>
    routes.find((route) => (friend === undefined || route.friend === friend) && domain === `${route.friend}.example`)
}

/** The sender's domain has its MX at a hop on loopback. */
export function mxAt(hop: Pick<NextHop, "port">): Required<Pick<DeliveryOptions, "resolver" | "dial">> {
  return {
    resolver: () => Promise.resolve({ kind: "records", records: [{ preference: 10, exchange: "mx.sender.example" }] }),
    dial: (where, signal) => {
      const mx = where.kind === "tcp" && where.to.host === "mx.sender.example"
      return dialTcp(mx ? { kind: "tcp", to: { host: LOOPBACK, port: hop.port } } : where, signal)
    },
  }
}

export function checked(text: string): Hostname {
  const name = hostname(text)
  if (!name) throw new Error(`not a host name: ${text}`)
  return name
}
