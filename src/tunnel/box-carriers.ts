/**
 * The box's carriers: plain TCP connections to the relay that wait for a visitor. Each greets with the ticket it was
 * dialled for and believes nothing before the relay has proved, with the same ticket, that it is the relay of the tunnel.
 */
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { Clock } from "../clock/clock.ts"
import type { Endpoint } from "../names/endpoint.ts"
import { dial } from "../net/dial.ts"
import { reset } from "../net/reset.ts"
import { greeting, readCarrierHeader, type Ticket } from "./carrier.ts"
import { CARRIER_AGE_MS_MAX, CARRIERS_MAX } from "./settings.ts"
import type { StreamRequest } from "./wire.ts"

/** Ours: a relay that does not answer this soon is asked for over the tunnel instead. */
const CARRIER_DIAL_MS_MAX = 5_000
/** Ours: the relay lets go of old carriers first; one that it forgot ends here. */
const CARRIER_WAITS_MS_MAX = 2 * CARRIER_AGE_MS_MAX

/**
 * Connects to a service and splices; resolves to `false` when there is no such service. Rejects when it is down.
 * `opened` is called when the service has accepted; `over` is what the connection came over.
 */
export type Serve = (request: StreamRequest, opened: () => Duplex, over: "tunnel" | "carrier") => Promise<boolean>

export type BoxCarriersOptions = {
  readonly relay: Endpoint
  readonly serve: Serve
  readonly clock: Clock
}

export type BoxCarriers = {
  /** Dials once for every ticket. What cannot be dialled is missed by nobody: the relay has streams. */
  dial(tickets: readonly Ticket[]): void
  /** Ends those that wait; those that carry go on. */
  close(): void
}

export function boxCarriers({ relay, serve, clock }: BoxCarriersOptions): BoxCarriers {
  const waiting = new Set<Socket>()
  let coming = 0
  let closed = false

  const dialOne = async (made: Ticket): Promise<void> => {
    coming += 1
    const socket = await dial(relay, CARRIER_DIAL_MS_MAX).finally(() => (coming -= 1))
    if (closed) return void socket.destroy()
    waiting.add(socket)
    const forget = clock.after(CARRIER_WAITS_MS_MAX, () => socket.destroy())
    const request = await headerOf(socket, made).finally(() => {
      forget()
      waiting.delete(socket)
    })
    const known = request && (await serve(request, () => socket, "carrier"))
    if (!known) reset(socket)
  }
  return {
    dial: (tickets) => {
      const room = CARRIERS_MAX - waiting.size - coming
      for (const made of tickets.slice(0, Math.max(0, room))) dialOne(made).catch(() => {}) // the relay has streams
    },
    close: () => {
      closed = true
      for (const socket of waiting) socket.destroy()
    },
  }
}

/** Greets, and resolves to what the relay asks for, the visitor's bytes left in the socket; `undefined` if it is not the relay. */
function headerOf(socket: Socket, made: Ticket): Promise<StreamRequest | undefined> {
  socket.write(greeting(made))
  let received = Buffer.alloc(0)
  return new Promise((resolve) => {
    const read = (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      const header = readCarrierHeader(received, made)
      if (header.kind === "need-more") return
      socket.off("data", read).pause()
      if (header.kind === "value") socket.unshift(received.subarray(header.consumedBytes))
      resolve(header.kind === "value" ? header.value : undefined)
    }
    socket.on("error", () => {}) // "close" follows
    socket.once("close", () => resolve(undefined))
    socket.once("end", () => resolve(undefined)) // the relay needs it no more: half a carrier is none
    socket.on("data", read)
  })
}
