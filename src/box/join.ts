/**
 * Joining a relay with an invitation: the box attaches once, which spends the secret and has the box's key pinned, and
 * only then is the relay written into box.yaml. A file that is there already keeps its comments and gets one relay more.
 */
import { parseDocument } from "yaml"
import type { Clock } from "../clock/clock.ts"
import { boxConfigText, type BoxConfig, type BoxRelay } from "../config/box-config.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { endpointText } from "../names/endpoint.ts"
import type { Promised } from "../route/route.ts"
import { boxEnd } from "../tunnel/box-end.ts"
import type { Invitation } from "../tunnel/invitation.ts"
import { acceptVerdicts, type RelayShows } from "./accept-verdicts.ts"

export type Joining = {
  readonly invitation: Invitation
  readonly identity: { readonly key: string; readonly cert: string }
  readonly promise: Promised
  readonly clock: Clock
}

/** Spends the invitation. Resolves to what the relay shows of its routes; rejects with a `FaultError` TUNNEL_REFUSED. */
export async function joinRelay({ invitation, identity, promise, clock }: Joining): Promise<RelayShows> {
  let shows: RelayShows | undefined
  const accepts = (json: string): boolean => {
    const shown = acceptVerdicts(json, promise)
    shows = shown.kind === "accepted" ? shown.shows : undefined
    return shown.kind === "accepted"
  }
  const failures: string[] = []
  for (const relay of invitation.relays) {
    try {
      const end = await boxEnd({
        ...identity,
        relay,
        relayPin: invitation.relayPin,
        claim: invitation.secret,
        accepts,
        carriers: false,
        asks: false,
        serve: async () => false, // nothing is served before the owner has a file that says what
        clock,
      })
      await end.leave()
      if (shows) return shows
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new FaultError(fault("TUNNEL_REFUSED", failures.join("; ")))
}

/** The relay of an invitation as it stands in box.yaml, under the first label of its name. */
export function relayOf(invitation: Invitation, shows: RelayShows): BoxRelay {
  const [, ownLabel = "relay"] = /^([a-z0-9-]+)/.exec(shows.relay) ?? []
  return { name: ownLabel, at: invitation.relays, key: invitation.relayPin, carriers: true }
}

/** box.yaml with this relay in it: a new file, or `existing` with one entry more and everything else as it was. */
export function withRelay(
  existing: string | undefined,
  relay: BoxRelay,
  fresh: Pick<BoxConfig, "promise" | "services">,
): string {
  if (existing === undefined) return boxConfigText({ ...fresh, relays: [relay] }, endpointText)
  const document = parseDocument(existing)
  document.setIn(["relays", relay.name], { at: relay.at.map(endpointText), key: relay.key })
  return document.toString()
}

export { readInvitation } from "../tunnel/invitation.ts"
