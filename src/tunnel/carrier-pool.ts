/**
 * The relay's carriers of one box: hands out tickets, keeps the carriers that came of them until a visitor needs one,
 * and keeps as many ready as the last seconds needed.
 */
import type { Socket } from "node:net"
import type { Clock, Instant } from "../clock/clock.ts"
import type { Ticket } from "./carrier.ts"

/** Ours: ready while nobody comes. */
export const CARRIERS_READY_MIN = 4
/** Ours: ready at most; beyond that, connections ride streams until new carriers are there. */
export const CARRIERS_READY_MAX = 128
/** Ours: below what home routers keep an idle connection for; older ones are replaced, not trusted. */
export const CARRIER_AGE_MS_MAX = 60_000
/** Ours: from ticket to greeting. */
const TICKET_LIFETIME_MS = 20_000

export type Carrier = { readonly socket: Socket; readonly ticket: Ticket; readonly since: Instant }

export type CarrierPool = {
  /** Whose ticket this is, once. */
  redeem(idHex: string): Ticket | undefined
  /** A carrier has greeted with this ticket and is ready. */
  ready(socket: Socket, ticket: Ticket): void
  /** The youngest ready carrier; `undefined`: use a stream. */
  take(): Carrier | undefined
  close(): void
}

export type CarrierPoolOptions = {
  /** Asks the box to dial once for every ticket. */
  readonly ask: (tickets: readonly Ticket[]) => void
  readonly newTicket: () => Ticket
  readonly clock: Clock
}

export function carrierPool({ ask, newTicket, clock }: CarrierPoolOptions): CarrierPool {
  const out = new Map<string, { readonly ticket: Ticket; readonly until: Instant }>()
  let ready: Carrier[] = []
  let wanted = CARRIERS_READY_MIN
  let taken = 0
  let closed = false
  let cancel = () => {}

  const drop = (carrier: Carrier) => {
    ready = ready.filter((other) => other !== carrier)
    carrier.socket.destroy()
  }
  const fill = () => {
    const missing = Math.min(wanted, CARRIERS_READY_MAX) - ready.length - out.size
    if (missing <= 0 || closed) return
    const tickets = Array.from({ length: missing }, newTicket)
    for (const made of tickets)
      out.set(made.id.toString("hex"), { ticket: made, until: clock.now() + TICKET_LIFETIME_MS })
    ask(tickets)
  }
  /** Once a second: forget what is too old, and want twice what the last second took. */
  const tend = () => {
    const now = clock.now()
    for (const [id, { until }] of out) if (until < now) out.delete(id)
    for (const carrier of ready) if (now - carrier.since > CARRIER_AGE_MS_MAX) drop(carrier)
    wanted = Math.max(CARRIERS_READY_MIN, taken * 2, Math.floor(wanted * 0.9))
    taken = 0
    fill()
    cancel = clock.after(1_000, tend)
  }
  tend()

  return {
    redeem: (idHex) => {
      const found = out.get(idHex)
      out.delete(idHex)
      return found && found.until >= clock.now() ? found.ticket : undefined
    },
    ready: (socket, made) => {
      const carrier = { socket, ticket: made, since: clock.now() }
      if (closed) return drop(carrier)
      ready.push(carrier)
      socket.once("close", () => drop(carrier))
    },
    take: () => {
      taken += 1
      const carrier = ready.pop()
      if (ready.length < wanted / 2) fill()
      carrier?.socket.removeAllListeners("close")
      return carrier
    },
    close: () => {
      closed = true
      cancel()
      for (const carrier of ready) drop(carrier)
    },
  }
}
