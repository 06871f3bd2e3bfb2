/** Notices a network that has gone silent: TCP alone would take a quarter of an hour (RFC 9293 §3.8.3). */
import type { Http2Session } from "node:http2"
import type { TLSSocket } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import { PING_DEADLINE_MS, PING_EVERY_MS } from "./settings.ts"

/** A session, and what it runs on. */
export type Tunnel = { readonly session: Http2Session; readonly socket: TLSSocket }

/** Pings while the session lives and ends it when an answer stays out. `rtt` is called with each round trip in ms. */
export function keepAlive({ session, socket }: Tunnel, clock: Clock, rtt: (ms: number) => void = () => {}): void {
  let cancel = () => {}
  const next = () => {
    cancel = clock.after(PING_EVERY_MS, ping)
  }
  const ping = () => {
    if (session.destroyed) return
    const overdue = clock.after(PING_DEADLINE_MS, () => endAtOnce({ session, socket }))
    cancel = overdue
    session.ping((error, durationMs) => {
      overdue()
      if (error) return
      rtt(durationMs)
      next()
    })
  }
  session.once("close", () => cancel())
  next()
}

/**
 * Ends a tunnel whatever the other end does. A session that was asked to close before would wait for the other end's FIN
 * when it is destroyed, and from a network that is gone none ever comes.
 */
export function endAtOnce({ session, socket }: Tunnel): void {
  session.destroy()
  socket.destroy()
}
