/** Connects to an endpoint that may be a name: resolves it, then tries its addresses in order. */
import type { Socket } from "node:net"
import { fault, FaultError } from "../faults/faults.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import type { IpAddress } from "../names/ip-address.ts"
import { Deadlines } from "./deadlines.ts"
import { Dialling, type DialOptions } from "./dialling.ts"
import { resolve as resolveEndpoint } from "./resolve.ts"

/** Deadlines of every dial of this process wait on one wheel. */
const deadlines = new Deadlines()

/**
 * An open connection (half-open allowed, no delay). Rejects with a `FaultError`: BACKEND_UNKNOWN when the name does not
 * resolve, BACKEND_REFUSES or BACKEND_SILENT when no address accepts within `deadlineMs`.
 */
export async function dial(to: Endpoint, deadlineMs: number): Promise<Socket> {
  return connected({ to: await resolveEndpoint(to), deadlineMs }, to)
}

/** As `dial`, to one address and from one of ours. An address that is not on this machine is BACKEND_REFUSES too. */
export function dialFrom(to: SocketAddress, from: IpAddress, deadlineMs: number): Promise<Socket> {
  return connected({ to: [to], from, deadlineMs }, to)
}

function connected(options: DialOptions, asked: Endpoint | SocketAddress): Promise<Socket> {
  return new Promise((resolve, reject) => {
    new Dialling(options, deadlines, (dialled) => {
      if (dialled.kind === "connected") return resolve(dialled.socket)
      const code = dialled.kind === "connect-timeout" ? "BACKEND_SILENT" : "BACKEND_REFUSES"
      reject(new FaultError(fault(code, `${endpointText(asked)}: ${dialled.detail}`)))
    })
  })
}
