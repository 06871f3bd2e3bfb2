/**
 * A network between two ends that can fall silent: bytes are passed on until then, and after that nothing is, no end and
 * no reset either. So does a home network that was given another address: nobody is left to say that it is gone.
 */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"

export type SilentNetwork = AsyncDisposable & {
  readonly port: number
  /** From here on nobody hears anything of the other end. */
  fallSilent(): void
}

/** Leads to 127.0.0.1:`to`. */
export async function silentNetwork(to: number): Promise<SilentNetwork> {
  const sockets = new Set<Socket>()
  let silent = false
  const pass = (from: Socket, into: Socket): void => {
    sockets.add(from.on("error", () => {}))
    from.on("data", (piece) => silent || into.write(piece))
    from.on("close", () => silent || into.destroy())
  }
  const server = createServer({ allowHalfOpen: true }, (near) => {
    const far = connect({ port: to, host: "127.0.0.1", allowHalfOpen: true })
    pass(near, far)
    pass(far, near)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    fallSilent: () => {
      silent = true
      for (const socket of sockets) socket.pause()
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
