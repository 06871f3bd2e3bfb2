/** Counts how often whoever comes waits for a server: a stand-in between the two, which changes nothing. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo } from "node:net"

export type Turns = AsyncDisposable & {
  readonly port: number
  /** Of the connection that came last: how often the client spoke because it had heard something. Each is a round trip. */
  readonly turns: () => number
}

export async function countTurns(port: number): Promise<Turns> {
  let last = { turns: 0 }
  const server = createServer((near) => {
    const own = { turns: 0 }
    last = own
    const far = connect(port, "127.0.0.1")
    let heard = false
    near.on("data", (bytes) => {
      if (heard) own.turns += 1
      heard = false
      far.write(bytes)
    })
    far.on("data", (bytes) => {
      heard = true
      near.write(bytes)
    })
    near.on("error", () => {}).once("close", () => far.destroy())
    far.on("error", () => {}).once("close", () => near.destroy())
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // of a TCP server that listens
    turns: () => last.turns,
    [Symbol.asyncDispose]: async () => void server.close(),
  }
}
