/**
 * Where boxes attach at the relay: TLS 1.3, both sides known by their keys. A box is not somebody until its key is
 * pinned to a friend, or until it claims an invitation; before that nothing is opened, shown or kept for it.
 */
import type { Socket } from "node:net"
import { createServer, type TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import { pinOf, type Pin } from "./pin.ts"
import { relayEnd, type RelayEnd } from "./relay-end.ts"
import { ATTACH_DEADLINE_MS } from "./settings.ts"
import { QUEUE_ALPN, TUNNEL_ALPN } from "./wire.ts"

export type DoorOptions = {
  /** The relay's own key and certificate, PEM. */
  readonly key: string
  readonly cert: string
  /** Whose key this is; `undefined` for a stranger. */
  readonly friendOf: (pin: Pin) => Promise<string | undefined>
  /** Spends the invitation that the secret belongs to and pins the key; `undefined` if there is none. */
  readonly redeem: (secret: string, pin: Pin) => Promise<string | undefined>
  /** The verdicts of the friend's routes, as JSON. */
  readonly verdictsFor: (friend: string) => string
  readonly attached: (friend: string, box: RelayEnd) => void
  /** Somebody who comes about mail, and whose box's key he showed. Nobody is let in for it unless given. */
  readonly desk?: (tls: TLSSocket, box: string | undefined) => void
  readonly clock: Clock
  readonly log: Log
}

export type TunnelDoor = {
  /** Takes an accepted connection and answers for its end. */
  accept(socket: Socket): void
}

export function tunnelDoor(options: DoorOptions): TunnelDoor {
  const handshakes = createServer(
    {
      key: options.key,
      cert: options.cert,
      minVersion: "TLSv1.3",
      requestCert: true, // RFC 8446 §4.4.3: the box proves that it holds the key of the certificate it shows
      rejectUnauthorized: false, // no CA vouches for a box; its pin does, below
      ALPNProtocols: options.desk ? [TUNNEL_ALPN, QUEUE_ALPN] : [TUNNEL_ALPN],
      handshakeTimeout: ATTACH_DEADLINE_MS,
    },
    (tls) => letIn(tls, options),
  )
  handshakes.on("tlsClientError", (error, tls) => refuse(tls, error.message, options.log))
  return {
    accept: (socket) => {
      socket.allowHalfOpen = false // half a tunnel is none: when the box has ended, we end too
      handshakes.emit("connection", socket) // the server never listens itself
    },
  }
}

function letIn(tls: TLSSocket, options: DoorOptions): void {
  const overdue = options.clock.after(ATTACH_DEADLINE_MS, () => refuse(tls, "it did not attach in time", options.log))
  tls.once("close", overdue)
  admit(tls, options).then(
    (why) => (why === undefined ? overdue() : refuse(tls, why, options.log)),
    (error: Error) => refuse(tls, error.message, options.log),
  )
}

function refuse(tls: TLSSocket, why: string, log: Log): void {
  log.warn("tunnel refused", { remote: tls.remoteAddress, why })
  tls.destroy()
}

/** Attaches the box behind a finished handshake; resolves to the reason why not, or to `undefined` when it is in. */
async function admit(tls: TLSSocket, options: DoorOptions): Promise<string | undefined> {
  if (options.desk && tls.alpnProtocol === QUEUE_ALPN) return atDesk(tls, options.desk, options)
  if (tls.alpnProtocol !== TUNNEL_ALPN) return `it does not speak ${TUNNEL_ALPN}`
  const shown = tls.getPeerX509Certificate()
  if (!shown) return "it shows no key"
  const pin = pinOf(shown)
  const box = relayEnd(tls, pin, options.clock)
  const friend = (await options.friendOf(pin)) ?? (await redeemed(box, options))
  if (friend === undefined) return "its key is nobody's, and it claims no open invitation"
  const accepted = await box.show(options.verdictsFor(friend))
  if (!accepted) return `the box of ${friend} refuses: a verdict breaks its promise`
  options.attached(friend, box)
  return undefined
}

/** A key that is nobody's is as good as none: there are tokens. */
async function atDesk(
  tls: TLSSocket,
  desk: NonNullable<DoorOptions["desk"]>,
  { friendOf }: DoorOptions,
): Promise<undefined> {
  const shown = tls.getPeerX509Certificate()
  desk(tls, shown && (await friendOf(pinOf(shown))))
}

async function redeemed(box: RelayEnd, options: DoorOptions): Promise<string | undefined> {
  const secret = await box.claim()
  return secret === undefined ? undefined : options.redeem(secret, box.pin)
}
