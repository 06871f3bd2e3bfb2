/** A friend's mail server that is thin (it answers in words and ends no TLS) or far away (every byte takes its time). */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { Transform } from "node:stream"

export type Home = AsyncDisposable & { readonly port: number }

/** What a thin home says when the ClientHello has come. */
export const HELLO_CAME = "hello came"

/** Answers EHLO and STARTTLS, and says so when bytes of TLS follow. */
export async function thinHome(): Promise<Home> {
  return listening((socket) => {
    socket.write("220 home ESMTP\r\n")
    socket.on("data", (bytes: Buffer) => {
      if (bytes[0] === HANDSHAKE_RECORD) return void socket.end(HELLO_CAME)
      const [verb] = bytes.toString("latin1").split(/[ \r]/)
      if (verb === "QUIT") return void socket.end("221 bye\r\n")
      return void socket.write(verb === "EHLO" ? "250-home\r\n250-SIZE 1000000\r\n250 STARTTLS\r\n" : "220 go\r\n")
    })
  })
}

/** RFC 8446 §5.1. */
const HANDSHAKE_RECORD = 22

/** The server at `port`, `oneWayMs` away: the connection too is there only after a round trip. */
export async function farHome(port: number, oneWayMs: number): Promise<Home> {
  return listening((near) => {
    near.pause()
    setTimeout(() => {
      const far = connect(port, "127.0.0.1")
      far.on("error", () => near.destroy())
      near.on("error", () => far.destroy())
      near.pipe(late(oneWayMs)).pipe(far)
      far.pipe(late(oneWayMs)).pipe(near)
    }, 2 * oneWayMs)
  })
}

/** Keeps order and holds every piece for that long, however many follow. */
function late(ms: number): Transform {
  return new Transform({
    transform(piece: Buffer, _, done) {
      setTimeout(() => this.push(piece), ms) // timers of one length fire in the order in which they were set
      done()
    },
    flush: (done) => void setTimeout(done, ms),
  })
}

async function listening(serve: (socket: Socket) => void): Promise<Home> {
  const open = new Set<Socket>()
  const server: Server = createServer((socket) => {
    open.add(socket)
    socket.on("error", () => {}).once("close", () => open.delete(socket))
    serve(socket)
  })
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4_096 })
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // it listens on TCP
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, "close")
    },
  }
}
