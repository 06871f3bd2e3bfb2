/** Looks at what there is to publish about a mail server, a friend's or the relay's own: its key, and where its name is to lead. */
import { createHash } from "node:crypto"
import { once } from "node:events"
import { lookup } from "node:dns/promises"
import { connect } from "node:tls"
import { ownSpkiSha256 } from "../cert/own-certificate.ts"
import type { Clock } from "../clock/clock.ts"
import type { Config } from "../config/config.ts"
import { FaultError } from "../faults/faults.ts"
import { ipAddress, type IpAddress } from "../names/ip-address.ts"
import { dial } from "../net/dial.ts"
import { mailPlaces, published, type MailPlace, type Published, type Shown } from "./mail-records.ts"
import { peerPlaces, peerPublished } from "./peer-mail-records.ts"
import { homeBeforeTls, type HomeOptions } from "./prelude-home.ts"

/** One for every domain whose mail is carried. A server that is away is said so in the notes. */
export async function publishedFor(config: Config, clock: Clock): Promise<readonly Published[]> {
  const relayAddresses = await addressesOf(config)
  const carried = await Promise.all(
    mailPlaces(config).map(async (place) => {
      const own = place.route.matches.flatMap((match) => (match.by === "address" ? match.addresses : []))
      const shown = await look(place, config, clock)
      return published(place, { addresses: own.length > 0 ? own : relayAddresses, shown })
    }),
  )
  const found = { addresses: relayAddresses, shown: await lookAtOwn(config) }
  return [...carried, ...peerPlaces(config).map((place) => peerPublished(place, config.relay.name, found))]
}

/** Where mail listeners are bound; where that is every address, what the relay's own name resolves to. */
async function addressesOf({ relay, listeners }: Config): Promise<readonly IpAddress[]> {
  const binds = listeners.filter(({ protocol }) => protocol === "smtp").flatMap(({ bind }) => bind)
  const named = [...new Set(binds.map(({ address }) => address))].filter((address) => !IS_ANY.has(address))
  if (named.length > 0) return named
  const found = await lookup(relay.name, { all: true }).catch(() => [])
  return found.flatMap(({ address }) => ipAddress(address) ?? [])
}

const IS_ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"])

async function lookAtOwn({ relay }: Config): Promise<Shown> {
  try {
    const digest = await ownSpkiSha256(relay.state)
    if (digest !== undefined) return { kind: "key", digest, vouchedFor: false }
    return { kind: "not-seen", why: "it is made when the relay starts for the first time" }
  } catch (error) {
    return notSeen(error)
  }
}

function notSeen(error: unknown): Shown {
  const why = error instanceof FaultError ? `${error.fault.code}: ${error.fault.detail}` : String(error)
  return { kind: "not-seen", why }
}

async function look({ host, route }: MailPlace, { relay, limits }: Config, clock: Clock): Promise<Shown> {
  if (route.to.kind === "box") return { kind: "not-seen", why: "the server is behind a box's tunnel" }
  const [first] = route.to.to
  const options: HomeOptions = {
    dial: () => dial(first, limits.connectDeadlineMs),
    deadlineMs: () => limits.connectDeadlineMs,
    heard: () => {},
    clock,
  }
  try {
    const home = await homeBeforeTls(route, relay.name, options)
    const forget = clock.after(limits.connectDeadlineMs, () =>
      home.destroy(new Error("it does not finish the handshake")),
    )
    const tls = connect({ socket: home, servername: host, rejectUnauthorized: false })
    await once(tls, "secureConnect").finally(forget)
    const certificate = tls.getPeerX509Certificate()
    const vouchedFor = tls.authorized && certificate?.checkHost(host) !== undefined
    tls.destroy()
    if (!certificate) return { kind: "not-seen", why: "it shows no certificate" }
    const key = certificate.publicKey.export({ type: "spki", format: "der" })
    return { kind: "key", digest: createHash("sha256").update(key).digest("hex"), vouchedFor }
  } catch (error) {
    return notSeen(error)
  }
}
