/** Somebody who connects from outside. */
import { connect } from "node:net"
import type { SocketAddress } from "../../src/names/endpoint.ts"
import { Peer } from "./peer.ts"

/** Connects; `from` is the visitor's own address. Resolves when the connection is there. */
export function visitor(to: SocketAddress, from?: string): Promise<Peer> {
  const { address: host, port } = to
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, ...(from && { localAddress: from }) })
    socket.once("error", reject)
    socket.once("connect", () => {
      socket.off("error", reject)
      resolve(new Peer(socket))
    })
  })
}
