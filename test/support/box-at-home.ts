/** A box in the test's own process: joins a relay with an invitation, as `waypost join` and `waypost box` do. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { boxIdentity, startBox, type Box } from "../../src/box/box.ts"
import { joinRelay, readInvitation, relayOf } from "../../src/box/join.ts"
import { systemClock } from "../../src/clock/clock.ts"
import type { BoxOutgoing, BoxService } from "../../src/config/box-config.ts"
import type { Config } from "../../src/config/config.ts"
import { endpoint, socketAddress } from "../../src/names/endpoint.ts"
import { inviteFriend } from "../../src/relay/invite.ts"
import { eventually } from "./eventually.ts"
import { logInto, type Logged } from "./relay.ts"

export type BoxAtHome = AsyncDisposable & { readonly box: Box; readonly log: readonly Logged[] }

export type HomeOptions = {
  /** `https: "127.0.0.1:443"`. */
  readonly services: Readonly<Record<string, string>>
  readonly carriers?: boolean
  /** Programs at home may ask for connections to the outside, at a free port of loopback. */
  readonly outgoing?: Partial<BoxOutgoing>
  /** Of the places in the invitation, only this port is dialled. */
  readonly onlyPort?: number
  /** Given: chance is no chance. */
  readonly dice?: () => number
}

/** Resolves when the tunnel of `friend`'s box to the relay of this configuration is up. */
export async function boxAtHome(relay: Config, friend: string, options: HomeOptions): Promise<BoxAtHome> {
  const state = await mkdtemp(join(tmpdir(), "waypost-box-"))
  const log: Logged[] = []
  const identity = await boxIdentity(state, systemClock)
  const invited = await inviteFriend(relay, friend, false, systemClock)
  const invitation = invited.kind === "invited" ? readInvitation(invited.line) : undefined
  if (!invitation) throw new Error(`${friend} cannot be invited: ${JSON.stringify(invited)}`)
  const [at, ...more] = invitation.relays.filter(({ port }) => port === (options.onlyPort ?? port))
  if (!at) throw new Error(`the invitation does not name port ${options.onlyPort}`)
  const within = { ...invitation, relays: [at, ...more] as const }
  const shows = await joinRelay({ invitation: within, identity, promise: "none", clock: systemClock })
  const relays = [{ ...relayOf(within, shows), carriers: options.carriers ?? true }]
  const services = new Map(Object.entries(options.services).map(([name, to]) => [name, service(to)]))
  const listen = socketAddress("127.0.0.1:0")
  const outgoing = options.outgoing && listen && { listen, login: undefined, ...options.outgoing }
  const box = await startBox(
    { state, promise: "none", relays, services, outgoing },
    { clock: systemClock, log: logInto(log), dice: options.dice ?? Math.random },
  )
  await eventually("the tunnel is up", () => box.status().every(({ link }) => link.at === "up"))
  return {
    box,
    log,
    [Symbol.asyncDispose]: async () => {
      await box.stop()
      await rm(state, { recursive: true })
    },
  }
}

function service(text: string): BoxService {
  const to = endpoint(text)
  if (!to) throw new Error(`${text} is a place`)
  return { to, proxy: "none", probe: true }
}
