/** What a TLS library makes of a connection's first bytes: the server name that OpenSSL, inside Node.js, hands on. */
import { duplexPair } from "node:stream"
import { createSecureContext, TLSSocket, type SecureContext } from "node:tls"
import type { KeyPair } from "./key-pair.ts"

/** A library that is ready to be asked. It takes what is old as well, so that it refuses only what is wrong. */
export function readyOpenSsl(pair: KeyPair): SecureContext {
  return createSecureContext({ ...pair, minVersion: "TLSv1", ciphers: "ALL:@SECLEVEL=0" })
}

/** `undefined`: it refused, or saw no name. The bytes are all that the client ever says. */
export async function nameByOpenSsl(bytes: Uint8Array, secureContext: SecureContext): Promise<string | undefined> {
  const [server, client] = duplexPair()
  const name = await new Promise<string | undefined>((resolve) => {
    // It answers in one way or another: the name is asked for before anything is sent.
    client.on("data", () => resolve(undefined))
    client.on("close", () => resolve(undefined))
    client.on("error", () => resolve(undefined))
    const socket = new TLSSocket(server, { isServer: true, secureContext, SNICallback: resolve })
    socket.on("error", () => resolve(undefined))
    socket.on("close", () => resolve(undefined))
    client.end(bytes)
  })
  server.destroy()
  client.destroy()
  return name
}
