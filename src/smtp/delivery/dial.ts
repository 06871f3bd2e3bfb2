/** Connects to a hop. What reaches boxes through their tunnels is handed in by the composition; this is plain TCP. */
import { once } from "node:events"
import { connect, Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { SocketAddress } from "../../names/endpoint.ts"
import { ipAddress } from "../../names/ip-address.ts"
import { writeProxyHeader } from "../../net/proxy-header/write.ts"
import { hopText, type BoxHop, type Hop } from "./target.ts"

/** Resolves when connected. Rejects with what went wrong, and at once when the signal fires. */
export type Dial = (hop: Hop, signal: AbortSignal) => Promise<Duplex>

/** Hands mail to a service of a box; `signal` takes it back. Resolves to what the box says; rejects when nobody knows what became of it. */
export type HandMail = (mail: HandedMail) => Promise<string>
export type HandedMail = {
  readonly about: string
  readonly contentBytes: number
  readonly content: AsyncIterable<Uint8Array>
  readonly signal: AbortSignal
}

/** Resolves to nothing where the box takes no transfers to this service; rejects when box or service are away. */
export type ReachBox = (hop: BoxHop) => Promise<HandMail | undefined>

/** Names are resolved, and their addresses tried, by the system (RFC 8305). */
export const dialTcp: Dial = async (hop, signal) => {
  if (hop.kind === "box") throw new Error(`${hopText(hop)} cannot be reached: there is no tunnel here`)
  const { host, port } = hop.to
  const socket = connect({ host, port, noDelay: true })
  try {
    await once(socket, "connect", { signal })
  } catch (error) {
    socket.destroy()
    throw error
  }
  if (hop.proxy) introduce(socket, hop.proxy)
  return socket
}

/** To a server that wants a PROXY header: the relay is the client, for several senders' mail on one connection. */
function introduce(socket: Socket, version: "v1" | "v2"): void {
  const remote = endOf(socket.localAddress, socket.localPort)
  const local = endOf(socket.remoteAddress, socket.remotePort)
  if (remote && local) socket.write(writeProxyHeader(version, { remote, local }))
}

function endOf(text: string | undefined, port: number | undefined): SocketAddress | undefined {
  const address = ipAddress(text ?? "")
  return address && port !== undefined ? { address, port } : undefined
}

/** Whether the connection ends at this relay itself. Own addresses may be wildcards: `0.0.0.0:25`, `[::]:25`. */
export function endsHere(connection: Duplex, own: readonly SocketAddress[]): boolean {
  if (!(connection instanceof Socket)) return false
  const remote = ipAddress(connection.remoteAddress ?? "")
  const port = connection.remotePort
  // The kernel answers an address of its own from the same address.
  const ownMachine = remote !== undefined && remote === ipAddress(connection.localAddress ?? "")
  return own.some((one) => one.port === port && (one.address === remote || (ownMachine && isWildcard(one))))
}

function isWildcard({ address }: SocketAddress): boolean {
  return address === "0.0.0.0" || address === "::"
}
