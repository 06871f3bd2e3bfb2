/** The least that makes a relay of the preludes: a visitor's part, a name, a home's part, and bytes passed on. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { socketAddress, type SocketAddress } from "../../src/names/endpoint.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import { STARTTLS_PROTOCOLS } from "../../src/prelude/preludes.ts"
import type { Prelude } from "../../src/prelude/prelude.ts"
import { readClientHello } from "../../src/sni/client-hello.ts"

export type StartTlsRelay = AsyncDisposable & {
  readonly port: number
  /** Why connections were closed before they were carried. */
  readonly closed: readonly string[]
}

export type Homes = {
  readonly protocol: keyof typeof STARTTLS_PROTOCOLS
  /** By server name: the port on 127.0.0.1 where the friend's server listens. */
  readonly homes: ReadonlyMap<string, number>
  readonly xclient?: boolean
}

export async function openStartTlsRelay(options: Homes): Promise<StartTlsRelay> {
  const closed: string[] = []
  const open = new Set<Socket>()
  const server = createServer((visitor) => {
    open.add(visitor)
    carry(visitor, options).catch((cause: Error) => {
      closed.push(cause.message)
      visitor.end()
    })
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // of a TCP server that listens
    closed,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, "close")
    },
  }
}

async function carry(visitor: Socket, { protocol, homes, xclient = false }: Homes): Promise<void> {
  visitor.on("error", () => {})
  const { towardsVisitor, towardsHome } = STARTTLS_PROTOCOLS[protocol]
  const side = towardsVisitor({ name: RELAY, offers: [], withoutTls: "refuse", streamId: "7f3a" })
  await play(visitor, side.prelude)
  const { hello, serverName } = await readHello(visitor)
  const port = serverName && homes.get(serverName)
  if (!serverName || !port) throw new Error("NAME_UNKNOWN")
  const home = connect(port, "127.0.0.1")
  home.on("error", () => visitor.destroy())
  const ends = {
    remote: end(visitor.remoteAddress, visitor.remotePort),
    local: end(visitor.localAddress, visitor.localPort),
  }
  await play(
    home,
    towardsHome({ introduced: side.introduced(), serverName, xclient: xclient ? ends : undefined }).prelude,
  )
  home.write(hello)
  visitor.pipe(home).pipe(visitor)
}

const RELAY = hostname("relay.bob.example") as Hostname // known to be one

/** Does what a machine wishes until TLS is to begin; rejects with the code if it closes. */
async function play(socket: Socket, prelude: Prelude): Promise<void> {
  for (let wishes = prelude.begin(); ;) {
    for (const wish of wishes) {
      if (wish.do === "say") socket.write(wish.text)
      else if (wish.do === "begin-tls") return
      else throw new Error(wish.do === "close" ? (wish.why?.code ?? "goodbye") : wish.do)
    }
    wishes = prelude.received(await nextBytes(socket))
  }
}

async function readHello(socket: Socket) {
  let hello = Buffer.alloc(0)
  for (;;) {
    const outcome = readClientHello(hello)
    if (outcome.kind === "refused") throw new Error(outcome.why.code)
    if (outcome.kind === "value") return { hello, serverName: outcome.value.serverName }
    hello = Buffer.concat([hello, await nextBytes(socket)])
  }
}

/** What has arrived, or the next that does; rejects when nothing more will. */
async function nextBytes(socket: Socket): Promise<Buffer> {
  for (;;) {
    const bytes = socket.read() as Buffer | null // a socket without encoding reads bytes
    if (bytes) return bytes
    if (socket.readableEnded || socket.destroyed) throw new Error("it left")
    await Promise.race([once(socket, "readable"), once(socket, "close")])
  }
}

function end(address = "", port = 0): SocketAddress {
  const found = socketAddress(`${address}:${port}`)
  if (!found) throw new Error(`no address: ${address}`)
  return found
}
