/** TLS to a relay, which is known by its pinned key and by nothing else. */
import { connect, type TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import { endpointText, type Endpoint } from "../names/endpoint.ts"
import { pinOf, samePin, type Pin } from "./pin.ts"
import { ATTACH_DEADLINE_MS } from "./settings.ts"

export type RelayDial = {
  readonly relay: Endpoint
  readonly relayPin: Pin
  /** Whom we show ourselves as, PEM; nobody if not given. */
  readonly key?: string
  readonly cert?: string
  readonly alpn: string
  readonly clock: Clock
}

/** Resolves only when the relay has shown the pinned key. Rejects with what went wrong. */
export function dialRelay({ relay, relayPin, key, cert, alpn, clock }: RelayDial): Promise<TLSSocket> {
  const { host, port } = relay
  const tls = connect({
    host,
    port,
    ...(key !== undefined && { key }),
    ...(cert !== undefined && { cert }),
    minVersion: "TLSv1.3",
    ALPNProtocols: [alpn],
    rejectUnauthorized: false, // no CA vouches for a relay; its pin does, below
  })
  return new Promise((resolve, reject) => {
    const fail = (why: string) => {
      tls.destroy()
      reject(new Error(`${endpointText(relay)}: ${why}`))
    }
    const overdue = clock.after(ATTACH_DEADLINE_MS, () => fail("no answer in time"))
    tls.once("error", (error) => fail(error.message))
    tls.once("close", () => fail("the relay hung up"))
    tls.once("secureConnect", () => {
      overdue()
      const shown = tls.getPeerX509Certificate()
      if (tls.alpnProtocol !== alpn) return fail("this is not a Waypost relay that speaks as we do")
      if (!shown || !samePin(pinOf(shown), relayPin)) return fail("this is not the relay we know: it shows another key")
      tls.setNoDelay(true)
      tls.removeAllListeners("error")
      tls.removeAllListeners("close")
      resolve(tls)
    })
  })
}
