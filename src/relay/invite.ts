/** Makes the line that lets a friend's box in: what `waypost invite` prints. Works beside a running relay. */
import { ownCertificate } from "../cert/own-certificate.ts"
import type { Clock, Instant } from "../clock/clock.ts"
import type { Config } from "../config/config.ts"
import type { Endpoint } from "../names/endpoint.ts"
import { boxesIn } from "../store/boxes.ts"
import { INVITATION_LIFETIME_MS, invitationLine, newSecret, secretDigest } from "../tunnel/invitation.ts"
import { pinOfCertificate } from "../tunnel/pin.ts"
import { publicPlaces } from "./public-places.ts"

export type Invited =
  | { readonly kind: "invited"; readonly line: string; readonly until: Instant }
  | { readonly kind: "refused"; readonly why: "no-such-friend" | "no-tunnel-listener" | "has-a-box" }

/** Opens an invitation for `friend`; with `replace` the key of the friend's present box is revoked at once. */
export async function inviteFriend(config: Config, friend: string, replace: boolean, clock: Clock): Promise<Invited> {
  if (!config.friends.some(({ name }) => name === friend)) return { kind: "refused", why: "no-such-friend" }
  const [first, ...more] = tunnelEndpoints(config)
  if (!first) return { kind: "refused", why: "no-tunnel-listener" }
  const { cert } = await ownCertificate(config.relay.state, config.relay.name, clock)
  const secret = newSecret()
  const until = clock.now() + INVITATION_LIFETIME_MS
  const refused = await boxesIn(config.relay.state).invite(secretDigest(secret), { friend, until }, replace)
  if (refused) return { kind: "refused", why: refused }
  const line = invitationLine({ friend, relays: [first, ...more], relayPin: pinOfCertificate(cert), secret })
  return { kind: "invited", line, until }
}

/**
 * Where boxes dial, first the listeners that are for them: the relay's name where a listener takes every address, and
 * the addresses that it names.
 */
export function tunnelEndpoints(config: Config): readonly Endpoint[] {
  const places = [...publicPlaces(config, "tunnel"), ...publicPlaces(config, "tls")]
  return places.map(({ host, port }) => ({ host: host ?? config.relay.name, port }))
}
