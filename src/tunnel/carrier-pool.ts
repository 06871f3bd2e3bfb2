/**
 * The relay's carriers of one box: hands out tickets, keeps the carriers that came of them until a visitor needs one,
 * and keeps as many ready as the last moments needed. Who comes when none is ready waits a little for one that is on
 * its way: a connection stays for life on what it began with, and a stream is many times slower.
 */
import type { Socket } from "node:net"
import type { Clock, Instant } from "../clock/clock.ts"
import { carrierHeader, type Ticket } from "./carrier.ts"
import { CARRIER_AGE_MS_MAX, CARRIERS_MAX, CARRIERS_READY_MAX, CARRIERS_READY_MIN } from "./settings.ts"
import type { StreamRequest } from "./wire.ts"

/** Ours: from ticket to a carrier that is ready. */
const TICKET_LIFETIME_MS = 20_000
/** Ours: how often what is ready is held against what was needed. */
const TEND_EVERY_MS = 250
/** Ours: what is kept ready for each that was taken since the last look, and what is kept of it at the next one. */
const READY_PER_TAKEN = 2
const SHRINK = 0.9
/** Ours: more are asked for when this part of what is wanted is missing, so that an offer is worth its request. */
const OFFER_SHARE = 0.5
/** Ours: tickets between two looks. A flood of short connections goes on as streams, which cost a little less. */
const OFFERED_MAX = CARRIERS_MAX
/** Ours: a carrier takes two round trips; whoever has waited this long rides a stream. */
export const CARRIER_PATIENCE_MS = 250

export type CarrierPool = {
  /** Whose ticket this is, once. */
  redeem(idHex: string): Ticket | undefined
  /** A carrier has greeted with this ticket and is ready. */
  ready(socket: Socket, ticket: Ticket): void
  /** The youngest ready carrier or the next one that comes, told whose connection it is; `undefined`: use a stream. */
  take(request: StreamRequest): Promise<Socket | undefined>
  readonly readyCount: number
  close(): void
}

export type CarrierPoolOptions = {
  /** Asks the box to dial once for every ticket; `false` if it never will. */
  readonly offer: (tickets: readonly Ticket[]) => Promise<boolean>
  readonly newTicket: () => Ticket
  readonly clock: Clock
}

/** A ticket whose carrier is not ready yet. */
type Coming = { readonly ticket: Ticket; readonly until: Instant; used: boolean }

type Carrier = { readonly socket: Socket; readonly ticket: Ticket; readonly since: Instant; readonly gone: () => void }

/** A visitor for whom none was ready; `undefined`: none will come. */
type Waiting = (carrier: Carrier | undefined) => void

export function carrierPool(options: CarrierPoolOptions): CarrierPool {
  const pool = new Pool(options)
  pool.tend()
  return pool
}

class Pool implements CarrierPool {
  readonly #options: CarrierPoolOptions
  readonly #coming = new Map<string, Coming>()
  #ready: Carrier[] = []
  #waiting: Waiting[] = []
  /** Somebody has waited too long, and no carrier has come since. */
  #inVain = false
  #wanted = CARRIERS_READY_MIN
  /** Since the last look. */
  #taken = 0
  #offered = 0
  #closed = false
  #cancel = () => {}

  constructor(options: CarrierPoolOptions) {
    this.#options = options
  }

  get readyCount(): number {
    return this.#ready.length
  }

  redeem(idHex: string): Ticket | undefined {
    const found = this.#coming.get(idHex)
    if (!found || found.used || found.until < this.#options.clock.now()) return undefined
    found.used = true
    return found.ticket
  }

  ready(socket: Socket, ticket: Ticket): void {
    if (this.#closed) return void socket.destroy()
    this.#coming.delete(nameOf(ticket))
    this.#inVain = false
    socket.on("error", () => {}) // "close" follows
    const carrier = { socket, ticket, since: this.#options.clock.now(), gone: () => this.#drop(carrier) }
    const waiting = this.#waiting.shift()
    if (waiting) return waiting(carrier)
    this.#ready.push(carrier)
    socket.once("close", carrier.gone).once("end", carrier.gone).once("data", carrier.gone) // it has nothing to say yet
    socket.resume()
  }

  take(request: StreamRequest): Promise<Socket | undefined> {
    if (this.#closed) return Promise.resolve(undefined)
    this.#taken += 1
    this.#want(Math.max(this.#wanted, this.#taken * READY_PER_TAKEN))
    const carrier = this.#ready.pop()
    if (!carrier) return this.#next(request)
    if (this.#missing >= this.#wanted * OFFER_SHARE) this.#offer()
    return Promise.resolve(told(carrier, request))
  }

  close(): void {
    this.#closed = true
    this.#cancel()
    for (const { socket } of this.#ready) socket.destroy()
    for (const waiting of this.#waiting) waiting(undefined)
    this.#ready = []
    this.#waiting = []
  }

  /** Forgets what is too old, and wants as many as were taken since the last time, with room. */
  tend(): void {
    const now = this.#options.clock.now()
    for (const [name, { until }] of this.#coming) if (until < now) this.#coming.delete(name)
    for (const carrier of this.#ready) if (now - carrier.since > CARRIER_AGE_MS_MAX) this.#drop(carrier)
    this.#want(Math.max(CARRIERS_READY_MIN, this.#taken * READY_PER_TAKEN, Math.floor(this.#wanted * SHRINK)))
    this.#taken = 0
    this.#offered = 0
    for (const carrier of this.#ready.slice(this.#wanted)) this.#drop(carrier)
    this.#offer()
    this.#cancel = this.#options.clock.after(TEND_EVERY_MS, () => this.tend())
  }

  /** The next one that comes and that nobody waits for yet. */
  #next(request: StreamRequest): Promise<Socket | undefined> {
    const spokenFor = () => this.#waiting.length >= this.#coming.size
    if (spokenFor()) this.#offer()
    if (spokenFor() || this.#inVain) return Promise.resolve(undefined)
    const { promise, resolve } = Promise.withResolvers<Socket | undefined>()
    const patience = this.#options.clock.after(CARRIER_PATIENCE_MS, () => {
      this.#inVain = true
      this.#waiting = this.#waiting.filter((other) => other !== waiting)
      resolve(undefined)
    })
    const waiting: Waiting = (carrier) => {
      patience()
      resolve(carrier && told(carrier, request))
    }
    this.#waiting.push(waiting)
    return promise
  }

  #want(carriers: number): void {
    this.#wanted = Math.min(carriers, CARRIERS_READY_MAX)
  }

  get #missing(): number {
    return Math.min(this.#wanted + this.#waiting.length, CARRIERS_MAX) - this.#ready.length - this.#coming.size
  }

  /** Offers a ticket for each that is missing. */
  #offer(): void {
    const until = this.#options.clock.now() + TICKET_LIFETIME_MS
    const count = Math.min(this.#missing, OFFERED_MAX - this.#offered)
    if (count <= 0) return
    this.#offered += count
    const tickets = Array.from({ length: count }, this.#options.newTicket)
    for (const ticket of tickets) this.#coming.set(nameOf(ticket), { ticket, until, used: false })
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

function nameOf({ id }: Ticket): string {
  return id.toString("hex")
}

/** From here on it is the visitor's. */
function told({ socket, ticket, gone }: Carrier, request: StreamRequest): Socket {
  socket.off("close", gone).off("end", gone).off("data", gone).pause()
  socket.write(carrierHeader(request, ticket))
  return socket
}
