/** Makes the line with which a friend looks after his own mail: what `waypost queue token` prints. Works beside a running relay. */
import { ownCertificate } from "../cert/own-certificate.ts"
import type { Clock } from "../clock/clock.ts"
import type { Config } from "../config/config.ts"
import { queueTokensIn } from "../store/queue-tokens.ts"
import { pinOfCertificate } from "../tunnel/pin.ts"
import { tokenLine } from "../tunnel/queue-token.ts"
import { tunnelEndpoints } from "./invite.ts"

export type GivenToken =
  | { readonly kind: "given"; readonly line: string }
  | { readonly kind: "refused"; readonly why: "no-such-friend" | "no-tunnel-listener" }

/** A new token for `friend`; an earlier one opens nothing from here on. */
export async function giveToken(config: Config, friend: string, clock: Clock): Promise<GivenToken> {
  if (!config.friends.some(({ name }) => name === friend)) return { kind: "refused", why: "no-such-friend" }
  const [first, ...more] = tunnelEndpoints(config)
  if (!first) return { kind: "refused", why: "no-tunnel-listener" }
  const { cert } = await ownCertificate(config.relay.state, config.relay.name, clock)
  const secret = await queueTokensIn(config.relay.state).make(friend, clock.now())
  return {
    kind: "given",
    line: tokenLine({ friend, relays: [first, ...more], relayPin: pinOfCertificate(cert), secret }),
  }
}
