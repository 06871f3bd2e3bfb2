/**
 * What a relay tells its operator over HTTP: /health, /metrics (Prometheus), /traffic and /verdicts (JSON). Read only. It is bound to
 * loopback unless the configuration says otherwise, and answers no page that a browser on this machine was lured to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import { once } from "node:events"
import { fault, FaultError } from "../faults/faults.ts"
import { endpoint, endpointText, type SocketAddress } from "../names/endpoint.ts"
import { ipAddress } from "../names/ip-address.ts"
import { descriptorOf } from "../net/accepted.ts"
import { METRICS_CONTENT_TYPE, metricsText, type Metric } from "./metrics-text.ts"

export type AdminSources = {
  readonly verdicts: () => unknown
  readonly traffic: () => unknown
  readonly metrics: () => Promise<readonly Metric[]>
}

export type Admin = AsyncDisposable & {
  readonly bound: SocketAddress
  /** Where it listens; empty where Node does not say. */
  readonly descriptors: readonly number[]
}

/** Listens at `bind`, or on a descriptor that listens there already. Rejects with BIND_REFUSED. */
export async function openAdmin(bind: SocketAddress, sources: AdminSources, given?: number): Promise<Admin> {
  const server = createServer((request, response) => {
    answer(request, response, sources).catch((error: Error) => response.destroy(error))
  })
  server.listen(given === undefined ? { host: bind.address, port: bind.port, exclusive: true } : { fd: given })
  try {
    await once(server, "listening")
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // what net.Server emits when it cannot listen
    throw new FaultError(fault("BIND_REFUSED", `admin: ${endpointText(bind)} cannot be bound (${code})`), {
      cause: error,
    })
  }
  const descriptors = [descriptorOf(server) ?? []].flat()
  return { bound: boundOf(server, bind), descriptors, [Symbol.asyncDispose]: () => close(server) }
}

type Page = { readonly status: number; readonly type: string; readonly text: string }

async function answer(request: IncomingMessage, response: ServerResponse, sources: AdminSources): Promise<void> {
  const { status, type, text } = isAskedDirectly(request) ? await page(request, sources) : refusal(403)
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(text),
    "cache-control": "no-store",
  })
  response.end(request.method === "HEAD" ? undefined : text)
}

/** A page elsewhere can make its own name resolve to loopback; it cannot make the browser name an address. */
function isAskedDirectly({ headers: { host = "" } }: IncomingMessage): boolean {
  const name = endpoint(host.includes(":") && !host.endsWith("]") ? host : `${host}:80`)?.host ?? ""
  return name === "localhost" || ipAddress(name) !== undefined
}

async function page({ method = "", url = "" }: IncomingMessage, sources: AdminSources): Promise<Page> {
  if (method !== "GET" && method !== "HEAD") return refusal(405)
  switch (url) {
    case "/health":
      return json({ status: "ok" })
    case "/metrics":
      return { status: 200, type: METRICS_CONTENT_TYPE, text: metricsText(await sources.metrics()) }
    case "/verdicts":
      return json(sources.verdicts())
    case "/traffic":
      return json(sources.traffic())
    default:
      return refusal(404)
  }
}

function json(value: unknown): Page {
  return { status: 200, type: "application/json", text: `${JSON.stringify(value)}\n` }
}

const REFUSALS = {
  403: "ask by address or as localhost",
  404: "/health, /metrics, /traffic or /verdicts",
  405: "GET or HEAD",
} as const

function refusal(status: keyof typeof REFUSALS): Page {
  return { status, type: "text/plain; charset=utf-8", text: `${REFUSALS[status]}\n` }
}

function boundOf(server: Server, asked: SocketAddress): SocketAddress {
  const address = server.address()
  return { ...asked, port: typeof address === "object" && address ? address.port : asked.port }
}

async function close(server: Server): Promise<void> {
  const closed = once(server, "close")
  server.close()
  server.closeAllConnections()
  await closed
}
