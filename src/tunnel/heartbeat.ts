/** Notices a network that has gone silent: TCP alone would take a quarter of an hour (RFC 9293 §3.8.3). */
import type { Http2Session } from "node:http2"
import type { Clock } from "../clock/clock.ts"
import { PING_DEADLINE_MS, PING_EVERY_MS } from "./settings.ts"

/** Pings while the session lives and destroys it when an answer stays out. `rtt` is called with each round trip in ms. */
export function keepAlive(session: Http2Session, clock: Clock, rtt: (ms: number) => void = () => {}): void {
  let cancel = () => {}
  const next = () => {
    cancel = clock.after(PING_EVERY_MS, ping)
  }
  const ping = () => {
    if (session.destroyed) return
    const overdue = clock.after(PING_DEADLINE_MS, () => session.destroy(new Error("the other end fell silent")))
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
