/** A friend's service behind the relay: it accepts, and a test says what each connection does. */
import { createServer, type AddressInfo } from "node:net"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { eventually } from "./eventually.ts"
import { at } from "./loopback.ts"
import { Peer } from "./peer.ts"

export type Backend = {
  readonly at: SocketAddress
  readonly peers: readonly Peer[]
  /** The connection that comes as number `index`, from 0. */
  accepted(index?: number): Promise<Peer>
  close(): Promise<void>
}

/** `serve` is called for every connection, before anything of it was read. */
export async function backend(serve: (peer: Peer) => void = () => {}, host = "127.0.0.1"): Promise<Backend> {
  const peers: Peer[] = []
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    const peer = new Peer(socket)
    peers.push(peer)
    serve(peer)
  })
  await new Promise<void>((resolve) => server.listen({ host, port: 0, backlog: 1024 }, resolve))
  const { port } = server.address() as AddressInfo // a server that listens on TCP has this
  return {
    at: at(host, port),
    peers,
    accepted: (index = 0) => eventually(`connection ${index} at the backend`, () => peers[index]),
    async close() {
      for (const peer of peers) peer.socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** Answers with what it hears, and finishes when the other side does. */
export function echo(peer: Peer): void {
  peer.socket.pipe(peer.socket)
}

/** A port where nobody listens: bound once and given back. */
export async function deadEnd(): Promise<SocketAddress> {
  const gone = await backend()
  await gone.close()
  return gone.at
}
