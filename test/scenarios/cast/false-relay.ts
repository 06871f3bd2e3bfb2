/** Whoever stands where a relay should be, with a key of his own: what a box says to him. */
import { once } from "node:events"
import type { AddressInfo, Socket } from "node:net"
import { createServer, type TLSSocket } from "node:tls"
import { systemClock } from "../../../src/clock/clock.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import { pinOfCertificate } from "../../../src/tunnel/pin.ts"
import { relayEnd } from "../../../src/tunnel/relay-end.ts"
import { TUNNEL_ALPN } from "../../../src/tunnel/wire.ts"
import { keyPair } from "../../support/key-pair.ts"
import type { Box } from "./box.ts"
import type { Story } from "./story.ts"

export type FalseRelay = AsyncDisposable & {
  /** Boxes were here, and not one of them said a word after the handshake. */
  heardNothing(): void
  /** The line as he would pass it on: to him, and with his key in it. */
  inPlaceOf(line: string): string
  /** Lets the box join him with that line; resolves to the secret that it gives away. */
  secretOf(box: Box, line: string): Promise<string>
}

/** Listens at `place`, or somewhere. */
export async function falseRelay(place: SocketAddress | undefined, story: Story): Promise<FalseRelay> {
  const pair = await keyPair("relay.bob.example")
  let heardBytes = 0
  let visited: (tls: TLSSocket) => void = (tls) => {
    tls.on("data", (piece: Buffer) => (heardBytes += piece.length)).on("error", () => {})
  }
  const asked = { ...pair, ALPNProtocols: [TUNNEL_ALPN], requestCert: true, rejectUnauthorized: false } as const
  const server = createServer(asked, (tls) => visited(tls)).on("tlsClientError", () => {})
  const sockets = new Set<Socket>()
  server.on("connection", (socket: Socket) => sockets.add(socket.on("error", () => {})))
  server.listen(place?.port ?? 0, place?.address ?? "127.0.2.3")
  await once(server, "listening")
  const { port, address } = server.address() as AddressInfo // it listens on TCP
  const pin = pinOfCertificate(pair.cert)
  story.happens(
    place ? "the Stranger answers at Bob's address" : "the Stranger changes the line that Bob sent to Alice",
  )
  return {
    heardNothing: () => {
      if (sockets.size === 0 || heardBytes > 0) throw new Error(`${sockets.size} boxes said ${heardBytes} bytes`)
      story.found("Stranger", "was called, and heard nothing")
    },
    inPlaceOf: (line) => line.replace(/@[^#]+#[^.]+/, `@${address}:${port}#${pin}`),
    secretOf: async (box, line) => {
      const said = new Promise<string>((resolve) => {
        visited = (tls) =>
          void relayEnd(tls, pin, systemClock)
            .claim()
            .then((secret = "") => (tls.destroy(), resolve(secret)))
      })
      await box.isRefused("Stranger", line)
      story.found("Stranger", "has the secret of Alice's invitation")
      return said
    },
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close")
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
