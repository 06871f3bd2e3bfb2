/** Where something listens or is reached: an address or name, and a port. */
import { hostname, type Hostname } from "./hostname.ts"
import { ipAddress, type IpAddress } from "./ip-address.ts"

/** A TCP port that can be connected to: 1 to 65535. */
export type Port = number

/** One end of a TCP connection. */
export type SocketAddress = { readonly address: IpAddress; readonly port: Port }

/** Somewhere to connect to; a name is resolved when it is dialled. */
export type Endpoint = { readonly host: IpAddress | Hostname; readonly port: Port }

/** Reads `10.0.0.5:443`, `[2001:db8::1]:443` or `mx.dave.example:25`. Port 0 means "any free port" and is left to the caller to allow. */
export function endpoint(text: string): Endpoint | undefined {
  const parts = /^(?:\[(?<v6>[^\]]*:[^\]]*)\]|(?<host>[^:[\]]+)):(?<port>\d{1,5})$/.exec(text)?.groups
  if (!parts) return undefined
  const host = parts["v6"] ? ipAddress(parts["v6"]) : (ipAddress(parts["host"] ?? "") ?? hostname(parts["host"] ?? ""))
  const port = Number(parts["port"])
  return host && port <= 65535 ? { host, port } : undefined
}

/** As `endpoint`, but only an address will do: what one can bind to. */
export function socketAddress(text: string): SocketAddress | undefined {
  const parsed = endpoint(text)
  const address = parsed && ipAddress(parsed.host)
  return parsed && address ? { address, port: parsed.port } : undefined
}

export function endpointText(where: Endpoint | SocketAddress): string {
  const host = "host" in where ? where.host : where.address
  return host.includes(":") ? `[${host}]:${where.port}` : `${host}:${where.port}` // no name has a colon
}
