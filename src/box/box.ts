/** Composition root of the program at home: configuration in, tunnels to every relay up, and back down again. */
import { ownCertificate } from "../cert/own-certificate.ts"
import type { Clock } from "../clock/clock.ts"
import type { BoxConfig, BoxOutgoing, BoxRelay } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { hostname } from "../names/hostname.ts"
import { chooseEngine } from "../net/choose-engine.ts"
import type { Engine } from "../net/engine.ts"
import { boxEnd, type BoxEnd } from "../tunnel/box-end.ts"
import type { AgeRecipient } from "../names/age-recipient.ts"
import { sealIdentity } from "../seal/identity.ts"
import { pin } from "../tunnel/pin.ts"
import { acceptVerdicts, sealedToOthers, type RelayShows, type Shown } from "./accept-verdicts.ts"
import type { Asker, DirectStatus } from "./direct.ts"
import { directServices } from "./direct-services.ts"
import { openOutgoingPort } from "./outgoing-port.ts"
import { keepLinked, type Link, type LinkState } from "./link.ts"
import { keepProbing, probeSelf, targetsAt, type ProbeState } from "./self-probe.ts"
import { MailHome } from "./mail-home.ts"
import { openMailJournal } from "./mail-journal.ts"
import { readSenders, type SendersSeen } from "./senders.ts"
import { servicesOf } from "./services.ts"

/** Ours: one moves several GB/s, more than a home's line; a second one wakes both more often, for smaller pieces. */
const ENGINE_THREADS = 1

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
  /** The relay's listeners whose kept mail is sealed to another key than this box's. */
  readonly sealedToOthers: readonly string[]
  /** How senders come to the ports that the owner shares there, as the relay tells it; `undefined`: not told. */
  readonly senders: SendersSeen | undefined
  /** What the last visit to the box's own name through this relay found. */
  readonly probe: ProbeState | undefined
}

export type Box = {
  /** Where programs ask for connections to the outside, with the real port where 0 was asked for. */
  readonly outgoing: SocketAddress | undefined
  /** Whom relays are to seal kept mail to. */
  readonly sealTo: AgeRecipient
  status(): readonly RelayStatus[]
  /** The services that may be reached without a relay, and whether they can be. */
  direct(): readonly DirectStatus[]
  /** Ends tunnels at once; resolves when the home router has closed what it opened. */
  stop(): Promise<void>
}

/**
 * Starts a box; it dials until it is stopped. Rejects with a `FaultError`: STATE_DAMAGED when its key cannot be read,
 * BIND_REFUSED when its outgoing port cannot be opened.
 */
export async function startBox(config: BoxConfig, options: BoxOptions): Promise<Box> {
  const identity = await boxIdentity(config.state, options.clock)
  const engine = chooseEngine({ log: options.log, threads: ENGINE_THREADS })
  const serve = servicesOf(config.services, engine, options.log)
  const { services } = config
  const journal = await openMailJournal(config.state, options.clock, options.log)
  const { keys, recipient, recipients } = await sealIdentity(config.state)
  const mail = new MailHome({ ...options, services, journal, keys })
  let linked: readonly Linked[] = []
  const outgoing = config.outgoing && (await openOutgoing(config.outgoing, () => linked, engine, options))
  const cameUp = () => direct.look()
  linked = config.relays.map((relay) =>
    linkTo(relay, { ...options, config, identity, serve, mail, recipients, cameUp }),
  )
  const askers = () => linked.flatMap(({ asker }) => asker() ?? [])
  const direct = directServices(config.services, { ...options, engine, askers })
  return {
    outgoing,
    sealTo: recipient,
    status: () => linked.map(({ status }) => status()),
    direct: () => direct.status(),
    stop: async () => {
      for (const { link } of linked) link.stop()
      mail.close()
      await direct.stop()
      await engine.close()
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

/** Whom relays are to seal mail to that they keep for this box; its key is made on the first start. */
export async function boxRecipient(state: string): Promise<AgeRecipient> {
  return (await sealIdentity(state)).recipient
}

type LinkParts = BoxOptions & {
  readonly config: Pick<BoxConfig, "promise" | "services" | "outgoing">
  readonly identity: { readonly key: string; readonly cert: string }
  readonly serve: ReturnType<typeof servicesOf>
  readonly mail: MailHome
  /** Of its own keys. */
  readonly recipients: readonly AgeRecipient[]
  /** A tunnel came up: whoever has a question for a relay can ask it. */
  readonly cameUp: () => void
}

type Linked = {
  readonly link: Link
  readonly status: () => RelayStatus
  /** While the tunnel is up. */
  readonly asker: () => Asker | undefined
}

/** One relay: its tunnel, and what is known of it. */
function linkTo(relay: BoxRelay, parts: LinkParts): Linked {
  const { config, identity, serve, mail, recipients, clock, log, dice, claim, changed, cameUp } = parts
  let shows: RelayShows | undefined
  let probe: ProbeState | undefined
  let senders: SendersSeen | undefined
  let tries = 0
  let current: BoxEnd | undefined
  const cannotOpen = () => (shows ? sealedToOthers(shows, recipients) : [])
  const accepts = (json: string): boolean => {
    const shown = acceptVerdicts(json, config.promise)
    if (shown.kind === "accepted") shows = shown.shows
    else log.error("verdicts refused", { relay: relay.name, ...refusal(shown) })
    const listeners = cannotOpen().join(", ")
    if (shown.kind === "accepted" && listeners !== "")
      log.error("mail will not open", { relay: relay.name, code: "SEALED_TO_ANOTHER", listeners })
    return shown.kind === "accepted"
  }
  const dialNext = async (): Promise<BoxEnd> => {
    const relayPin = pin(relay.key)
    const at = relay.at[tries++ % relay.at.length] ?? relay.at[0]
    if (!relayPin) throw new Error("the relay's key in the file is damaged") // box-config.ts lets none through
    const end = await boxEnd({
      ...identity,
      relay: at,
      relayPin,
      claim,
      accepts,
      senders: (counts) => {
        senders = readSenders(counts)
        changed?.()
      },
      serve,
      takes: mail.takesFrom(relay.key),
      carriers: relay.carriers,
      asks: config.outgoing !== undefined,
      clock,
    })
    current = end
    clock.after(0, cameUp) // once the link knows
    tries = 0 // what worked is dialled first the next time
    void end.gone.then(probing(at))
    return end
  }
  /** Visits the box's own names while the tunnel is up; the returned function ends that. */
  const probing = (at: Endpoint): (() => void) => {
    const targets = () => (shows ? targetsAt(at, shows, config.services) : [])
    const probed = (state: ProbeState) => {
      probe = state
      if (state.kind === "another-key") {
        log.error("detached", { relay: relay.name, code: "ANOTHER_KEY", ...state })
        link.detach(`ANOTHER_KEY: visitors of ${state.name} are shown the key ${state.shown}, which is not this box's`)
      } else if (state.kind === "unknown") log.warn("not probed", { relay: relay.name, ...state })
      changed?.()
    }
    return keepProbing({ targets, probe: (target) => probeSelf(target, clock), clock, dice, probed })
  }
  const link: Link = keepLinked({
    relay: `${relay.name} (${relay.at.map(endpointText).join(", ")})`,
    dial: dialNext,
    clock,
    dice,
    log,
    ...(changed && { changed }),
  })
  return {
    link,
    status: () => ({ relay: relay.name, link: link.state(), shows, sealedToOthers: cannotOpen(), senders, probe }),
    asker: () => {
      const end = link.state().at === "up" ? current : undefined
      return end && { relay: relay.name, ask: (port) => end.askReach(port) }
    },
  }
}

/** Relays are asked in the order of the file. */
async function openOutgoing(
  asked: BoxOutgoing,
  linked: () => readonly Linked[],
  engine: Engine,
  { clock, log }: BoxOptions,
): Promise<SocketAddress> {
  const exits = () => linked().map(({ link, status }) => ({ relay: status().relay, end: link.end() }))
  return openOutgoingPort({ ...asked, engine, exits, clock, log })
}

function refusal(shown: Exclude<Shown, { readonly kind: "accepted" }>) {
  return shown.kind === "broken"
    ? { why: "the promise is sealed, and the relay could read", routes: shown.routes.join(", ") }
    : { why: "they cannot be read" }
}
