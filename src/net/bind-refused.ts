/** The fault that says why nothing can listen at an address, and what would help. */
import { fault, FaultError } from "../faults/faults.ts"
import { endpointText, type SocketAddress } from "../names/endpoint.ts"

/** `code` is the name of an errno, or whatever else there is to say. */
export function bindRefused(listener: string, where: SocketAddress, code: string, cause?: Error): FaultError {
  const remedy = REMEDIES[code] ?? "see the system's message"
  const detail = `${listener}: cannot listen on ${endpointText(where)}: ${code} (${remedy})`
  return new FaultError(fault("BIND_REFUSED", detail), { cause })
}

const REMEDIES: Readonly<Record<string, string>> = {
  EADDRINUSE: "another program listens there; `ss -ltnp` shows which",
  EACCES: "ports below 1024 need CAP_NET_BIND_SERVICE or a lower net.ipv4.ip_unprivileged_port_start",
  EADDRNOTAVAIL: "no interface has this address",
  EMFILE: "no descriptors are left; raise `ulimit -n`",
}
