/**
 * The relay's carriers of one box: hands out tickets, keeps the carriers that came of them until a visitor needs one,
 * and keeps as many ready as the last moments needed.
 */
import type { Socket } from "node:net"
import type { Clock, Instant } from "../clock/clock.ts"
import { carrierHeader, type Ticket } from "./carrier.ts"
import { CARRIER_AGE_MS_MAX, CARRIERS_READY_MAX, CARRIERS_READY_MIN } from "./settings.ts"
import type { StreamRequest } from "./wire.ts"

/** Ours: from ticket to greeting. */
const TICKET_LIFETIME_MS = 20_000
/** Ours: how often what is ready is held against what was needed. */
const TEND_EVERY_MS = 250
/** Ours: what is kept ready for each that was taken since the last look, and what is kept of it at the next one. */
const READY_PER_TAKEN = 2
const SHRINK = 0.9

export type CarrierPool = {
  /** Whose ticket this is, once. */
  redeem(idHex: string): Ticket | undefined
  /** A carrier has greeted with this ticket and is ready. */
  ready(socket: Socket, ticket: Ticket): void
  /** The youngest ready carrier, told whose connection comes; `undefined`: use a stream. */
  take(request: StreamRequest): Socket | undefined
  readonly readyCount: number
  close(): void
}

export type CarrierPoolOptions = {
  /** Asks the box to dial once for every ticket; `false` if it never will. */
  readonly offer: (tickets: readonly Ticket[]) => Promise<boolean>
  readonly newTicket: () => Ticket
  readonly clock: Clock
}

type Carrier = { readonly socket: Socket; readonly ticket: Ticket; readonly since: Instant; readonly gone: () => void }

export function carrierPool(options: CarrierPoolOptions): CarrierPool {
  const pool = new Pool(options)
  pool.tend()
  return pool
}

class Pool implements CarrierPool {
  readonly #options: CarrierPoolOptions
  readonly #out = new Map<string, { readonly ticket: Ticket; readonly until: Instant }>()
  #ready: Carrier[] = []
  #wanted = CARRIERS_READY_MIN
  #taken = 0
  #closed = false
  #cancel = () => {}

  constructor(options: CarrierPoolOptions) {
    this.#options = options
  }

  get readyCount(): number {
    return this.#ready.length
  }

  redeem(idHex: string): Ticket | undefined {
    const found = this.#out.get(idHex)
    this.#out.delete(idHex)
    return found && found.until >= this.#options.clock.now() ? found.ticket : undefined
  }

  ready(socket: Socket, ticket: Ticket): void {
    if (this.#closed) return void socket.destroy()
    const carrier = { socket, ticket, since: this.#options.clock.now(), gone: () => this.#drop(carrier) }
    this.#ready.push(carrier)
    socket.on("error", () => {}) // "close" follows
    socket.once("close", carrier.gone).once("end", carrier.gone).once("data", carrier.gone) // it has nothing to say yet
    socket.resume()
  }

  take(request: StreamRequest): Socket | undefined {
    this.#taken += 1
    const carrier = this.#ready.pop()
    if (!carrier) return undefined
    const { socket, gone } = carrier
    socket.off("close", gone).off("end", gone).off("data", gone).pause()
    socket.write(carrierHeader(request, carrier.ticket))
    return socket
  }

  close(): void {
    this.#closed = true
    this.#cancel()
    for (const { socket } of this.#ready) socket.destroy()
    this.#ready = []
  }

  /** Forgets what is too old, and wants as many as were taken since the last time, with room. */
  tend(): void {
    const now = this.#options.clock.now()
    for (const [id, { until }] of this.#out) if (until < now) this.#out.delete(id)
    for (const carrier of this.#ready) if (now - carrier.since > CARRIER_AGE_MS_MAX) this.#drop(carrier)
    const wanted = Math.max(CARRIERS_READY_MIN, this.#taken * READY_PER_TAKEN, Math.floor(this.#wanted * SHRINK))
    this.#wanted = Math.min(wanted, CARRIERS_READY_MAX)
    this.#taken = 0
    for (const carrier of this.#ready.slice(this.#wanted)) this.#drop(carrier)
    this.#fill()
    this.#cancel = this.#options.clock.after(TEND_EVERY_MS, () => this.tend())
  }

  #fill(): void {
    const missing = this.#wanted - this.#ready.length - this.#out.size
    if (missing <= 0 || this.#closed) return
    const until = this.#options.clock.now() + TICKET_LIFETIME_MS
    const tickets = Array.from({ length: missing }, this.#options.newTicket)
    for (const ticket of tickets) this.#out.set(ticket.id.toString("hex"), { ticket, until })
    this.#options.offer(tickets).then(
      (dials) => dials || this.close(),
      () => {}, // the tunnel breaks, and with it the pool ends
    )
  }

  #drop(carrier: Carrier): void {
    this.#ready = this.#ready.filter((other) => other !== carrier)
    carrier.socket.destroy()
  }
}
