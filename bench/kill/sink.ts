/** Where mail arrives: takes everything and writes the X-Ledger of each message down before it says 250. */
import { once } from "node:events"
import { createServer, type AddressInfo, type Socket } from "node:net"
import type { Ledger } from "./ledger.ts"

export type Sink = AsyncDisposable & { readonly port: number }

const ANSWERS: readonly (readonly [RegExp, string])[] = [
  [/^EHLO/i, "250-sink.test\r\n250-PIPELINING\r\n250 8BITMIME\r\n"],
  [/^DATA/i, "354 Go on\r\n"],
  [/^QUIT/i, "221 Bye\r\n"],
]

export async function openSink(ledger: Ledger): Promise<Sink> {
  const sockets = new Set<Socket>()
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket)
    socket.on("close", () => sockets.delete(socket))
    converse(socket, ledger)
  }).listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
}

function converse(socket: Socket, ledger: Ledger): void {
  const { boxLife } = ledger
  let unread = ""
  let inContent = false
  socket.setEncoding("latin1")
  socket.on("error", () => {}) // the relay was killed
  socket.on("data", (piece: string) => {
    unread += piece
    for (;;) {
      const end = unread.indexOf(inContent ? "\r\n.\r\n" : "\r\n")
      if (end < 0) return
      const said = unread.slice(0, end)
      unread = unread.slice(end + (inContent ? 5 : 2))
      if (inContent) ledger.arrive(idIn(said), boxLife)
      const answer = inContent ? undefined : ANSWERS.find(([command]) => command.test(said))?.[1]
      inContent = !inContent && /^DATA/i.test(said)
      socket.write(answer ?? "250 Ok\r\n")
    }
  })
  socket.write("220 sink.test\r\n")
}

function idIn(content: string): string {
  const id = /^X-Ledger: (?<id>\S+)$/m.exec(content)?.groups?.["id"]
  if (id === undefined) throw new Error(`a message without X-Ledger: ${content.slice(0, 200)}`)
  return id
}
