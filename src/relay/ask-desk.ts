/** Asks a relay about a friend's own mail, from wherever he is: by his token, or with his box's key. queue-desk.ts is the other end. */
import { once } from "node:events"
import { request, type IncomingMessage } from "node:http"
import { text } from "node:stream/consumers"
import type { TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import type { Endpoint } from "../names/endpoint.ts"
import { dialRelay } from "../tunnel/dial-relay.ts"
import type { Pin } from "../tunnel/pin.ts"
import type { QueueToken } from "../tunnel/queue-token.ts"
import { QUEUE_ALPN } from "../tunnel/wire.ts"
import { answerIn, pathOf, type Ask } from "./ask-queue.ts"

export type Desk = {
  readonly relays: readonly Endpoint[]
  readonly relayPin: Pin
  readonly by:
    | { readonly kind: "token"; readonly token: Pick<QueueToken, "friend" | "secret"> }
    | { readonly kind: "box"; readonly key: string; readonly cert: string }
  readonly clock: Clock
}

/** What it gives rejects with DESK_REFUSED or DESK_AWAY. */
export function deskOf(desk: Desk): Ask {
  const { by } = desk
  const headers = by.kind === "token" ? { authorization: `Bearer ${by.token.friend}.${by.token.secret}` } : {}
  return async (method, page, given) => {
    const socket = await dialled(desk)
    try {
      const asked = request({ method, path: pathOf(page, given), headers, createConnection: () => socket })
      const [response] = (await once(asked.end(), "response")) as [IncomingMessage]
      const body = await text(response)
      if (response.statusCode === 401) throw new FaultError(fault("DESK_REFUSED", REFUSED[by.kind]))
      return answerIn(response.statusCode, body)
    } finally {
      socket.destroy()
    }
  }
}

const REFUSED = {
  token: "the relay does not know this token: it was revoked, replaced, or is not whole",
  box: "the relay does not know this box's key",
} as const

/** The first of its places that answers with the pinned key. */
async function dialled({ relays, relayPin, by, clock }: Desk): Promise<TLSSocket> {
  const failures: string[] = []
  for (const relay of relays) {
    try {
      const shown = by.kind === "box" ? { key: by.key, cert: by.cert } : {}
      return await dialRelay({ relay, relayPin, ...shown, alpn: QUEUE_ALPN, clock })
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error))
    }
  }
  throw new FaultError(fault("DESK_AWAY", failures.join("; ")))
}

export { pin } from "../tunnel/pin.ts"
export { readToken } from "../tunnel/queue-token.ts"
