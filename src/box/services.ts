/**
 * What the box serves through its tunnels: a name, and where at home it listens. A relay can ask for these names and
 * for nothing else, so this table is the whole of what it can reach.
 */
import type { Duplex } from "node:stream"
import type { BoxService } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import { socketAddress, type SocketAddress } from "../names/endpoint.ts"
import { dial } from "../net/dial.ts"
import { writeProxyHeader } from "../net/proxy-header/write.ts"
import type { Engine } from "../net/engine.ts"
import type { Serve } from "../tunnel/box-carriers.ts"
import type { StreamRequest } from "../tunnel/wire.ts"

/** Ours: services are at home, so what does not answer in this time is down. */
const SERVICE_CONNECT_MS_MAX = 5_000

/**
 * Connects to the service and splices until the connection ends; resolves at once to `false` when the table does not
 * have it. Rejects with a `FaultError` when the service does not answer.
 */
export function servicesOf(services: ReadonlyMap<string, BoxService>, engine: Pick<Engine, "splice">, log: Log): Serve {
  return async (request, opened, over) => {
    const service = services.get(request.service)
    if (!service) {
      log.warn("service refused", { service: request.service, why: "not listed in this box's file" })
      return false
    }
    const local = await connectHome(service, request)
    const visitor = opened()
    const { how, leftToRightBytes, rightToLeftBytes } = await engine.splice(visitor, local)
    log.info("served", { service: request.service, over, how, bytesIn: leftToRightBytes, bytesOut: rightToLeftBytes })
    return true
  }
}

/** Connects to a service and says whose connection it is, if the service wants to know. Rejects as `dial` does. */
export async function connectHome(service: BoxService, caller: Omit<StreamRequest, "service">): Promise<Duplex> {
  const local = await dial(service.to, SERVICE_CONNECT_MS_MAX)
  if (service.proxy !== "none") local.write(writeProxyHeader(service.proxy, { ...caller, alpn: onlyOne(caller.alpn) }))
  return local
}

/** The ends of a connection that the box makes to a service for itself. */
export const FROM_THE_BOX = { remote: loopback(), local: loopback() }

function loopback(): SocketAddress {
  const address = socketAddress("127.0.0.1:1")
  if (!address) throw new Error("127.0.0.1:1 is an address")
  return address
}

/** The application protocol is known before the handshake only where one alone was offered. */
function onlyOne(alpn: readonly string[]): string | undefined {
  return alpn.length === 1 ? alpn[0] : undefined
}
