/** A listener on 127.0.0.1 that only listens: it keeps what the first visitor who says anything says, until that is enough. */
import { once } from "node:events"
import { createServer, type AddressInfo, type Socket } from "node:net"

export type Hearing = AsyncDisposable & {
  readonly port: number
  /** What that visitor had said when `isEnough` first said so, or when it left. */
  readonly heard: Promise<Buffer>
}

/** `greeting` is sent first, for protocols in which the server begins. */
export async function openHearing(isEnough: (received: Buffer) => boolean, greeting = ""): Promise<Hearing> {
  const { promise: heard, resolve } = Promise.withResolvers<Buffer>()
  const visitors = new Set<Socket>()
  const server = createServer((socket) => {
    visitors.add(socket)
    let received = Buffer.alloc(0)
    socket.write(greeting)
    socket.on("error", () => {}) // a visitor may leave as it likes
    socket.on("close", () => received.length > 0 && resolve(received))
    socket.on("data", (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (!isEnough(received)) return
      resolve(received)
      socket.destroy()
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    heard,
    async [Symbol.asyncDispose]() {
      for (const socket of visitors) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}
