/** Connects to an endpoint that may be a name: resolves it, then tries its addresses in order. */
import { lookup } from "node:dns/promises"
import type { Socket } from "node:net"
import { fault, FaultError } from "../faults/faults.ts"
import { endpointText, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { ipAddress } from "../names/ip-address.ts"
import { Deadlines } from "./deadlines.ts"
import { Dialling } from "./dialling.ts"

/** Deadlines of every dial of this process wait on one wheel. */
const deadlines = new Deadlines()

/**
 * An open connection (half-open allowed, no delay). Rejects with a `FaultError`: BACKEND_UNKNOWN when the name does not
 * resolve, BACKEND_REFUSES or BACKEND_SILENT when no address accepts within `deadlineMs`.
 */
export async function dial(to: Endpoint, deadlineMs: number): Promise<Socket> {
  const addresses = await addressesOf(to)
  return new Promise((resolve, reject) => {
    new Dialling({ to: addresses, deadlineMs }, deadlines, (dialled) => {
      if (dialled.kind === "connected") return resolve(dialled.socket)
      const code = dialled.kind === "connect-timeout" ? "BACKEND_SILENT" : "BACKEND_REFUSES"
      reject(new FaultError(fault(code, `${endpointText(to)}: ${dialled.detail}`)))
    })
  })
}

/** The addresses behind an endpoint, in the order in which the system would try them (RFC 6724). */
export async function addressesOf(to: Endpoint): Promise<readonly [SocketAddress, ...SocketAddress[]]> {
  const literal = ipAddress(to.host)
  if (literal) return [{ address: literal, port: to.port }]
  const found = await lookup(to.host, { all: true }).catch((error: NodeJS.ErrnoException) => {
    throw new FaultError(fault("BACKEND_UNKNOWN", `${to.host}: ${error.code ?? error.message}`), { cause: error })
  })
  const [first, ...more] = found
    .flatMap(({ address }) => ipAddress(address) ?? [])
    .map((address) => ({ address, port: to.port }))
  if (!first) throw new FaultError(fault("BACKEND_UNKNOWN", `${to.host}: it has no address`))
  return [first, ...more]
}
