/** Fetches an MTA-STS policy (RFC 8461 §3.3): over HTTPS with a valid certificate, without following anybody elsewhere. */
import { get } from "node:https"
import type { Hostname } from "../../names/hostname.ts"

/** The policy's text. Rejects with what went wrong. */
export type FetchStsPolicy = (domain: Hostname) => Promise<string>

/** RFC 8461 §3.3 suggests a minute; ours: mail waits meanwhile. */
const FETCH_MS = 20_000
/** RFC 8461 §3.3 suggests 64 kB. */
const POLICY_BYTES_MAX = 65_536

export type StsServer = {
  readonly port?: number
  /** An address in the place of what DNS says. */
  readonly address?: string
  /** PEM certificates that are trusted instead of the public authorities. */
  readonly ca?: readonly string[]
}

/** In production nothing of `server` is given. */
export function httpsStsPolicy({ port = 443, address, ca }: StsServer = {}): FetchStsPolicy {
  return (domain) =>
    new Promise((resolve, reject) => {
      const name = `mta-sts.${domain}`
      const request = get({
        host: address ?? name,
        port,
        servername: name,
        path: "/.well-known/mta-sts.txt",
        headers: { host: name, accept: "text/plain", connection: "close" },
        agent: false,
        minVersion: "TLSv1.2",
        signal: AbortSignal.timeout(FETCH_MS),
        ...(ca && { ca: [...ca] }),
      })
      request.on("error", reject)
      request.on("response", (response) => {
        const type = response.headers["content-type"] ?? ""
        const wrong = response.statusCode !== 200 ? `status ${response.statusCode}` : isText(type) ? undefined : type
        if (wrong !== undefined) {
          request.destroy()
          return reject(new Error(`${name} answers with ${wrong}`))
        }
        let text = ""
        response.setEncoding("utf8").on("data", (piece: string) => {
          text += piece
          if (text.length > POLICY_BYTES_MAX) request.destroy(new Error(`the policy of ${name} is too long`))
        })
        response.on("error", reject)
        response.on("end", () => resolve(text))
      })
    })
}

function isText(contentType: string): boolean {
  return /^text\/plain\s*(?:;|$)/i.test(contentType)
}
