/** A backend that remembers who came and what was said, and answers nothing. */
import { once } from "node:events"
import { createServer, type AddressInfo } from "node:net"

export type Backend = AsyncDisposable & {
  readonly port: number
  /** Connections since the last `forget`. */
  visits(): number
  /** Everything that they said. */
  heard(): Buffer
  forget(): void
}

export async function openBackend(): Promise<Backend> {
  let [visits, heard, era] = [0, Buffer.alloc(0), 0]
  const server = createServer((socket) => {
    const since = era
    visits += 1
    socket.on("error", () => {})
    socket.on("data", (piece: Buffer) => {
      if (since === era) heard = Buffer.concat([heard, piece]) // who came before says nothing that counts
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // of a TCP server that listens
    visits: () => visits,
    heard: () => heard,
    forget: () => void ([visits, heard, era] = [0, Buffer.alloc(0), era + 1]),
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
