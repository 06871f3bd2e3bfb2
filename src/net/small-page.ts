/** Asks a device on the home network for one small page over HTTP, and reads no more than it may have. */
import { request, type OutgoingHttpHeaders } from "node:http"
import { endpointText, type SocketAddress } from "../names/endpoint.ts"

export type SmallPage = { readonly status: number; readonly body: string }

export type SmallPageRequest = {
  readonly method: "GET" | "POST"
  /** Of the request line; what the device named itself. */
  readonly path: string
  readonly headers?: OutgoingHttpHeaders
  readonly body?: string
  readonly deadlineMs: number
  readonly bytesMax: number
  readonly signal: AbortSignal
}

/** Rejects when nothing has come within the deadline, when more has come than `bytesMax`, or when `signal` fires. */
export function smallPage(from: SocketAddress, asked: SmallPageRequest): Promise<SmallPage> {
  const { method, path, headers = {}, body = "", deadlineMs, bytesMax } = asked
  const host = endpointText(from)
  const signal = AbortSignal.any([asked.signal, AbortSignal.timeout(deadlineMs)])
  const lengths = method === "POST" ? { "content-length": Buffer.byteLength(body) } : {}
  return new Promise((resolve, reject) => {
    const where = { host: from.address, port: from.port, method, path, agent: false, signal } as const
    const asking = request({ ...where, headers: { host, connection: "close", ...lengths, ...headers } })
    asking.once("error", reject)
    asking.once("response", (response) => {
      let read = ""
      response.setEncoding("utf8").on("data", (piece: string) => {
        read += piece
        if (read.length > bytesMax) asking.destroy(new Error(`${host} sends more than ${bytesMax} bytes`))
      })
      response.once("error", reject)
      response.once("end", () => resolve({ status: response.statusCode ?? 0, body: read }))
    })
    asking.end(body)
  })
}
