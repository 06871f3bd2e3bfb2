/** Tells a visitor, inside TLS that the relay itself ends, why it is not carried. Nothing that the visitor says is read. */
import type { Socket } from "node:net"
import { TLSSocket, type SecureContext } from "node:tls"
import type { Clock } from "../clock/clock.ts"

/** Ours: a handshake, and the time to read one line. */
const TURNED_AWAY_MS_MAX = 10_000

/** `socket`: its next bytes are a ClientHello. `text`: in the visitor's protocol. */
export function turnAway(socket: Socket, text: string, secureContext: SecureContext, clock: Clock): void {
  const forget = clock.after(TURNED_AWAY_MS_MAX, () => socket.destroy())
  socket.once("close", forget)
  const tls = new TLSSocket(socket, { isServer: true, secureContext })
  tls.on("error", () => socket.destroy()) // who does not trust the relay's key need not hear it
  tls.once("secure", () => tls.end(text))
  tls.resume()
}
