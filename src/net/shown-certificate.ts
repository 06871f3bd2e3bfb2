/** Asks a TLS server which certificate it shows to visitors who name a host, and believes nothing else of it. */
import type { X509Certificate } from "node:crypto"
import type { Duplex } from "node:stream"
import { connect } from "node:tls"
import type { Clock } from "../clock/clock.ts"
import type { Hostname } from "../names/hostname.ts"

/**
 * Does the handshake on an open connection and hangs up. The certificate need not be valid or trusted, but whoever shows
 * it has proved to hold its key (RFC 8446 §4.4.3). Rejects when there is no handshake within `deadlineMs`.
 */
export function shownCertificate(
  socket: Duplex,
  serverName: Hostname,
  deadlineMs: number,
  clock: Clock,
): Promise<X509Certificate> {
  const tls = connect({ socket, servername: serverName, rejectUnauthorized: false })
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => {
      forget()
      tls.destroy()
      socket.destroy()
      reject(error)
    }
    const forget = clock.after(deadlineMs, () => fail(new Error("no TLS handshake in time")))
    tls.on("error", fail)
    tls.once("close", () => fail(new Error("hung up before TLS began")))
    tls.once("secureConnect", () => {
      const shown = tls.getPeerX509Certificate()
      if (!shown) return fail(new Error("TLS without a certificate"))
      forget()
      resolve(shown)
      tls.end()
    })
  })
}
