/** Makes the door of shared ports whose protocol begins in the clear, and what is learnt of the servers behind it. */
import { createSecureContext } from "node:tls"
import { FaultError } from "../faults/faults.ts"
import type { MailServer } from "../smtp/intake/mail-server.ts"
import type { Now, Outside } from "./doors.ts"
import { HomeOffers } from "./home-offers.ts"
import type { PreludeAccounts } from "./prelude-accounts.ts"
import { preludeDoor, type PreludeDoor } from "./prelude-door.ts"
import { askHome, meetHome, type HomeOptions } from "./prelude-home.ts"
import type { Reach } from "./reach.ts"
import type { Traffic } from "./traffic.ts"
import { turnAway } from "./turned-away.ts"

export type PreludeNeeds = {
  readonly mail: MailServer
  readonly reach: Reach
  /** The relay's own, PEM. */
  readonly tls: { readonly key: string; readonly cert: string }
  readonly accounts: PreludeAccounts
  readonly traffic: Pick<Traffic, "meterOf">
}

export type PreludePart = { readonly prelude: PreludeDoor; readonly offers: HomeOffers }

export function preludePart(now: Now, { clock, log }: Omit<Outside, "engine">, needs: PreludeNeeds): PreludePart {
  const { mail, reach, tls, accounts, traffic } = needs
  const { name } = now.standing.config.relay
  const limits = () => now.standing.config.limits
  const secureContext = createSecureContext({ ...tls, minVersion: "TLSv1.2" })
  const home: HomeOptions = {
    dial: (route, caller) => reach.route(route, limits().connectDeadlineMs, caller),
    deadlineMs: () => limits().connectDeadlineMs,
    heard: (route, keywords) => offers.heard(route, keywords),
    clock,
  }
  const offers: HomeOffers = new HomeOffers({ ask: (route) => askHome(route, name, home), clock, log })
  const isPeer = (listener: string) => now.standing.otherwise(listener) === "peer"
  const prelude = preludeDoor({
    name,
    routeFor: (listener, serverName) => now.standing.table.byStartTlsSni(listener, serverName),
    otherwise: (listener) => now.standing.otherwise(listener),
    offers: (listener) => offers.offersOf(listener, isPeer(listener) ? limits().messageBytesMax : undefined),
    nobodyHome: (listener) => (isPeer(listener) ? undefined : offers.nobodyHome(listener)),
    meet: async (meeting) => {
      try {
        return await meetHome(meeting, home)
      } catch (error) {
        if (error instanceof FaultError) offers.missed(meeting.route)
        throw error
      }
    },
    becomeEnd: (socket, visitor, begun) => mail.accept(socket, { ...visitor, ...begun }),
    turnAway: (socket, text) => turnAway(socket, text, secureContext, clock),
    deadlineMs: () => limits().preludeDeadlineMs,
    idleDeadlineMs: () => limits().idleDeadlineMs,
    accounts,
    meterOf: (friend) => traffic.meterOf(friend),
    clock,
    log,
  })
  return { prelude, offers }
}
