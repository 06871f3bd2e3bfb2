/** Composition root of the program at home: configuration in, tunnels to every relay up, and back down again. */
import { ownCertificate } from "../cert/own-certificate.ts"
import type { Clock } from "../clock/clock.ts"
import type { BoxConfig, BoxRelay } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import { endpointText } from "../names/endpoint.ts"
import { hostname } from "../names/hostname.ts"
import { boxEnd, type BoxEnd } from "../tunnel/box-end.ts"
import { pin } from "../tunnel/pin.ts"
import { acceptVerdicts, type RelayShows, type Shown } from "./accept-verdicts.ts"
import { keepLinked, type Link, type LinkState } from "./link.ts"
import { servicesOf } from "./services.ts"

export type BoxOptions = {
  readonly clock: Clock
  readonly log: Log
  /** A number from 0 up to 1. */
  readonly dice: () => number
  /** The secret of an invitation, while joining. */
  readonly claim?: string
  /** A tunnel came up, went down or waits: `status()` says something new; also while the box starts. */
  readonly changed?: () => void
}

/** How one relay stands. */
export type RelayStatus = {
  readonly relay: string
  readonly link: LinkState
  /** What the relay showed when the box attached last; `undefined` before that. */
  readonly shows: RelayShows | undefined
}

export type Box = {
  status(): readonly RelayStatus[]
  stop(): void
}

/** Starts a box; it dials until it is stopped. Rejects with a `FaultError` STATE_DAMAGED when its key cannot be read. */
export async function startBox(config: BoxConfig, options: BoxOptions): Promise<Box> {
  const identity = await boxIdentity(config.state, options.clock)
  const serve = servicesOf(config.services, options.log)
  const links = config.relays.map((relay) => {
    let shows: RelayShows | undefined
    const accepts = (json: string): boolean => {
      const shown = acceptVerdicts(json, config.promise)
      if (shown.kind === "accepted") shows = shown.shows
      else options.log.error("verdicts refused", { relay: relay.name, ...refusal(shown) })
      return shown.kind === "accepted"
    }
    const link = linkTo(relay, { ...options, identity, serve, accepts })
    return { relay: relay.name, link, shows: () => shows }
  })
  return {
    status: () => links.map(({ relay, link, shows }) => ({ relay, link: link.state(), shows: shows() })),
    stop: () => {
      for (const { link } of links) link.stop()
    },
  }
}

/** The box's own key and certificate, made on the first start. */
export async function boxIdentity(
  state: string,
  clock: Clock,
): Promise<{ readonly key: string; readonly cert: string }> {
  const name = hostname("box")
  if (!name) throw new Error("box is a host name")
  return ownCertificate(state, name, clock)
}

type LinkParts = BoxOptions & {
  readonly identity: { readonly key: string; readonly cert: string }
  readonly serve: ReturnType<typeof servicesOf>
  readonly accepts: (json: string) => boolean
}

function linkTo(relay: BoxRelay, { identity, serve, accepts, clock, log, dice, claim, changed }: LinkParts): Link {
  let tries = 0
  const dialNext = async (): Promise<BoxEnd> => {
    const relayPin = pin(relay.key)
    const at = relay.at[tries++ % relay.at.length] ?? relay.at[0]
    if (!relayPin) throw new Error("the relay's key in the file is damaged") // box-config.ts lets none through
    return boxEnd({ ...identity, relay: at, relayPin, claim, accepts, serve, clock })
  }
  return keepLinked({
    relay: `${relay.name} (${relay.at.map(endpointText).join(", ")})`,
    dial: dialNext,
    clock,
    dice,
    log,
    ...(changed && { changed }),
  })
}

function refusal(shown: Exclude<Shown, { readonly kind: "accepted" }>) {
  return shown.kind === "broken"
    ? { why: "the promise is sealed, and the relay could read", routes: shown.routes.join(", ") }
    : { why: "they cannot be read" }
}
