/** Bob's relay as a sender meets it who is passed through to a scripted server of Dave's. */
import { systemClock, type Clock } from "../../src/clock/clock.ts"
import type { Route } from "../../src/route/route.ts"
import { CutThrough, type CutThroughOptions } from "../../src/smtp/cut-through/cut-through.ts"
import { wayOf } from "../../src/smtp/delivery/mail-delivery.ts"
import type { MailServerOptions } from "../../src/smtp/intake/mail-server.ts"
import { BOB, DAY_MS, routeTo } from "./delivery.ts"
import { keptLog, type KeptLog } from "./kept-log.ts"
import type { NextHop } from "./next-hop.ts"
import { startMailHost, type HostOptions, type MailHost } from "./smtp-dialogue.ts"

export type Between = MailHost & { readonly log: KeptLog; readonly cutThrough: CutThrough }

const LIMITS = { connectDeadlineMs: 10_000, deliveriesPerFriendMax: 10, mailLifetimeMs: 21 * DAY_MS }

type Different = HostOptions & { readonly clock?: Clock; readonly carry?: Partial<Route["carry"]> }

/** `between` Carol and a hop. Only `dave.example` has a route. */
export async function startBetween(
  hop: Pick<NextHop, "port">,
  different: Partial<MailServerOptions> & Partial<CutThroughOptions> & Different = {},
): Promise<Between> {
  const clock = different.clock ?? systemClock
  const log = keptLog()
  const { carry, ...route } = routeTo(hop)
  const through = { ...route, carry: { ...carry, cutThrough: true, ...different.carry } } as ReturnType<typeof routeTo>
  const cutThrough = new CutThrough({
    way: wayOf({ name: BOB, clock, limits: LIMITS, dice: () => 0 }),
    log,
    cameBack: () => {},
    answered: () => {},
    ...different,
  })
  const routeFor: MailServerOptions["routeFor"] = (_, domain) => (domain === "dave.example" ? through : undefined)
  const host = await startMailHost({ routeFor, clock, log, cutThrough, ...different })
  return { ...host, log, cutThrough }
}
