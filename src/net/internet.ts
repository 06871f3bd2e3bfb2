/**
 * The internet, as whoever is carried outward sees it: names become addresses, and a connection leaves from an address of
 * ours. An input, like the clock: a test has an internet of its own.
 */
import type { Socket } from "node:net"
import type { SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import { dialFrom } from "./dial.ts"
import { systemLookup, type Lookup } from "./resolve.ts"

export type Internet = {
  readonly lookup: Lookup
  /** Rejects with a `FaultError` BACKEND_REFUSES or BACKEND_SILENT. */
  connect(to: SocketAddress, from: IpAddress, deadlineMs: number): Promise<Socket>
}

export const theInternet: Internet = { lookup: systemLookup, connect: dialFrom }
