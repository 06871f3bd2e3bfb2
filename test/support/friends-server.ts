/**
 * A friend's server that speaks our own part of a protocol until TLS and, behind it, says back what it hears. It keeps
 * what it was told in the clear, and may say more there than it should.
 */
import { once } from "node:events"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { TLSSocket } from "node:tls"
import type { Prelude } from "../../src/prelude/prelude.ts"
import { STARTTLS_PROTOCOLS } from "../../src/prelude/preludes.ts"
import type { StartTls } from "../../src/route/route.ts"
import type { KeyPair } from "./key-pair.ts"
import { named } from "./shared-port.ts"

export type FriendsServer = AsyncDisposable & {
  readonly port: number
  /** What it heard before TLS, in all connections. */
  readonly heardInTheClear: () => string
}

/** `injects`: said in the clear behind the answer to STARTTLS, in the same segment or in one of its own. */
export type Injects = { readonly text: string; readonly in: "the same segment" | "its own segment" }

export async function startFriendsServer(
  protocol: StartTls,
  name: string,
  pair: KeyPair,
  injects?: Injects,
): Promise<FriendsServer> {
  let heard = ""
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    open.add(socket)
    socket.on("error", () => {}).once("close", () => open.delete(socket))
    const settings = { name: named(name), offers: [], withoutTls: "refuse", streamId: "1" } as const
    const { prelude } = STARTTLS_PROTOCOLS[protocol].towardsVisitor(settings)
    void untilTls(socket, prelude, { heard: (text) => (heard += text), injects }).then(() => echo(socket, pair))
  })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return {
    port: (server.address() as AddressInfo).port, // of a TCP server that listens
    heardInTheClear: () => heard,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of open) socket.destroy()
      await once(server, "close")
    },
  }
}

type Around = { readonly heard: (text: string) => void; readonly injects: Injects | undefined }

function untilTls(socket: Socket, prelude: Prelude, { heard, injects }: Around): Promise<void> {
  return new Promise((resolve) => {
    const obey = (wishes: ReturnType<Prelude["begin"]>): void => {
      const said = wishes.flatMap((wish) => (wish.do === "say" ? [wish.text] : [])).join("")
      const begins = wishes.some((wish) => wish.do === "begin-tls")
      if (begins) {
        socket.off("data", hears).pause()
        if (injects?.in === "the same segment") socket.write(said + injects.text)
        else socket.write(said, () => injects && socket.write(injects.text))
        resolve()
      } else if (wishes.some((wish) => wish.do === "close")) socket.end(said)
      else if (said !== "") socket.write(said)
    }
    const hears = (bytes: Buffer): void => {
      heard(bytes.toString("latin1"))
      obey(prelude.received(bytes))
    }
    socket.on("data", hears)
    obey(prelude.begin())
  })
}

function echo(socket: Socket, { key, cert }: KeyPair): void {
  const tls = new TLSSocket(socket, { isServer: true, key, cert })
  tls.on("error", () => socket.destroy())
  tls.on("data", (bytes: Buffer) => tls.write(`heard ${bytes.toString("latin1")}`))
}
