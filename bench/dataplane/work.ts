/** The work that every relay is given, and what one run of it came to. */
import type { HelloKind } from "./hello.ts"
import type { Service } from "./rivals.ts"

export type Work = {
  readonly id: string
  /** As a column's head. */
  readonly name: string
  readonly service: Service
  /** Connections at a time; for `idle`, in all. */
  readonly connections: number
  readonly hello?: HelloKind
}

/** What load.c prints; the percentiles for `new` and `pong`, the memory for `idle`. */
export type Sample = {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly gigabytes: number
  readonly done: number
  readonly errors: number
  readonly p50Us: number
  readonly p99Us: number
  readonly bytesPerConnection: number
  /** With no connection yet. */
  readonly baseBytes: number
}

export type Measured = {
  readonly round: number
  readonly work: string
  readonly relay: string
  readonly sample: Sample
}

export const BULK: readonly Work[] = [
  { id: "down1", name: "1 flow, download", service: "down", connections: 1 },
  { id: "down8", name: "8 flows, download", service: "down", connections: 8 },
  { id: "down64", name: "64 flows, download", service: "down", connections: 64 },
  { id: "up1", name: "1 flow, upload", service: "up", connections: 1 },
  { id: "up8", name: "8 flows, upload", service: "up", connections: 8 },
  { id: "up64", name: "64 flows, upload", service: "up", connections: 64 },
]
export const CONNECTIONS: readonly Work[] = [
  { id: "new", name: "new connection", service: "new", connections: 32 },
  { id: "new-pq", name: "new connection, post-quantum", service: "new", connections: 32, hello: "post-quantum" },
  { id: "pong32", name: "ping-pong, 32 at a time", service: "pong", connections: 32 },
]
export const IDLE: Work = { id: "idle", name: "idle connection", service: "idle", connections: 7000 }
/** What so many add to the first ones counts: those make heaps grow that then serve the others too. */
export const IDLE_COUNTED = 4000
/** Where relays on one core and on two are compared, and the visitors may use every core. */
export const TWO_CORES: readonly Work[] = [
  { id: "new-cores", name: "new connection", service: "new", connections: 32 },
  { id: "down64-cores", name: "64 flows, download", service: "down", connections: 64 },
]

/** In the run's main unit: seconds per GB (10⁹ bytes), microseconds per connection or exchange, bytes per idle connection. */
export function costOf({ service }: Pick<Work, "service">, sample: Sample): number {
  switch (service) {
    case "down":
    case "up":
      return sample.cpuSeconds / sample.gigabytes
    case "idle":
      return sample.bytesPerConnection
    case "new":
    case "pong":
      return (sample.cpuSeconds / sample.done) * 1e6
  }
}

/** GB, connections or exchanges in a second. */
export function rateOf({ service }: Pick<Work, "service">, sample: Sample): number {
  return (service === "down" || service === "up" ? sample.gigabytes : sample.done) / sample.seconds
}
