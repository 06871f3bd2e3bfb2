/**
 * The self-probe: the box visits its own public name through a relay and compares the key that it is shown with the key
 * that its service shows at home. A relay that ends TLS in the box's place cannot show that key, because it does not
 * have it.
 *
 * What this cannot show: the probe comes from the box's own address, and its ClientHello is not a browser's. A relay that
 * wants to may let it through and still stand in somebody else's way (docs/threat-model.md, "What no check can see").
 */
import type { Duplex } from "node:stream"
import type { Clock, Instant } from "../clock/clock.ts"
import type { BoxService } from "../config/box-config.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Endpoint } from "../names/endpoint.ts"
import { hostname, type Hostname } from "../names/hostname.ts"
import { ipAddress, isGlobal, type IpAddress } from "../names/ip-address.ts"
import { dial } from "../net/dial.ts"
import { shownCertificate } from "../net/shown-certificate.ts"
import { pinOf, samePin, type Pin } from "../tunnel/pin.ts"
import type { RelayShows } from "./accept-verdicts.ts"
import { connectHome, FROM_THE_BOX } from "./services.ts"

/** Ours: a handshake through the relay and home again. */
const PROBE_MS_MAX = 10_000
/** Ours: a certificate that was renewed in between the two looks is no attack, so a difference is looked at again. */
const SECOND_LOOK_MS = 5_000
/** Ours: a relay that stands in between is found soon after it lets the box in … */
const FIRST_PROBE_MS_MAX = 10_000
/** … and later within 15 minutes. Each wait is half of it and a chance share of the other half. */
const PROBE_EVERY_MS_MAX = 15 * 60_000

/** One public name, where visitors of this relay reach it, and the service at home that answers for it. */
export type Target = { readonly name: Hostname; readonly entrance: Endpoint; readonly home: BoxService }

export type Probed =
  | { readonly kind: "same-key"; readonly name: Hostname }
  | { readonly kind: "another-key"; readonly name: Hostname; readonly shown: Pin; readonly own: Pin }
  | { readonly kind: "unknown"; readonly name: Hostname; readonly why: string }

/** The last probe of a relay, as `waypost box status` tells it. */
export type ProbeState = Probed & { readonly at: Instant }

export type ProbingOptions = {
  /** Asked each time: the relay may carry other names by then. */
  readonly targets: () => readonly Target[]
  readonly probe: (target: Target) => Promise<Probed>
  readonly clock: Clock
  /** A number from 0 up to 1: which name, and when, is not to be foreseen. */
  readonly dice: () => number
  readonly probed: (state: ProbeState) => void
}

/** Probes now and then until the returned function is called. Ends by itself when another key was seen twice. */
export function keepProbing({ targets, probe, clock, dice, probed }: ProbingOptions): () => void {
  let over = false
  let cancel = () => {}
  const wait = (longestMs: number, then: () => void) => {
    cancel = clock.after(longestMs * (0.5 + dice() / 2), then)
  }
  const look = async (target: Target, seenBefore: boolean) => {
    const seen = await probe(target)
    if (over) return
    if (seen.kind === "another-key" && !seenBefore) return wait(SECOND_LOOK_MS, () => void look(target, true))
    probed({ ...seen, at: clock.now() })
    if (seen.kind !== "another-key") wait(PROBE_EVERY_MS_MAX, next)
  }
  const next = () => {
    const present = targets()
    const target = present[Math.floor(dice() * present.length)]
    if (target) void look(target, false)
    else wait(PROBE_EVERY_MS_MAX, next)
  }
  wait(FIRST_PROBE_MS_MAX, next)
  return () => {
    over = true
    cancel()
  }
}

/** Visits one name through the relay, and the service at home; never rejects. */
export async function probeSelf({ name, entrance, home }: Target, clock: Clock): Promise<Probed> {
  const shownBy = async (connected: Promise<Duplex>) =>
    pinOf(await shownCertificate(await connected, name, PROBE_MS_MAX, clock))
  try {
    const own = await shownBy(connectHome(home, { ...FROM_THE_BOX, serverName: name, alpn: [] }))
    const shown = await shownBy(dial(entrance, PROBE_MS_MAX))
    return samePin(own, shown) ? { kind: "same-key", name } : { kind: "another-key", name, shown, own }
  } catch (error) {
    return { kind: "unknown", name, why: error instanceof Error ? error.message : String(error) }
  }
}

/**
 * What can be probed at a relay that was reached at `relay`: the names of dedicated TLS routes whose service this box
 * serves. Of the names under a wildcard, `www` is taken.
 */
export function targetsAt(
  relay: Endpoint,
  { entrances }: RelayShows,
  services: ReadonlyMap<string, BoxService>,
): readonly Target[] {
  return entrances.flatMap(({ service, names, host, port }) => {
    const home = services.get(service)
    const at = host === undefined ? relay.host : placeNamed(host, relay)
    if (at === undefined) return []
    const entrance = { host: at, port }
    return names.flatMap((pattern) => {
      const name = hostname(pattern.replace(/^\*\./, "www."))
      return home?.probe && name ? [{ name, entrance, home }] : []
    })
  })
}

/** The relay may name where it was dialled, or a global address: it has no say over what the box does on its own network. */
function placeNamed(host: string, relay: Endpoint): IpAddress | undefined {
  const address = ipAddress(host)
  return address && (address === relay.host || isGlobal(address)) ? address : undefined
}

/** One line for people: what the last probe found. */
export function describeProbe(state: ProbeState | undefined): string {
  if (!state) return "not probed yet"
  const at = new Date(state.at).toISOString()
  switch (state.kind) {
    case "same-key":
      return `visitors of ${state.name} were shown this box's key (${at})`
    case "another-key":
      return `visitors of ${state.name} were shown another key than this box's (${at})`
    case "unknown":
      return `not probed: ${state.why} (${at})`
    default:
      return unreachable(state)
  }
}
