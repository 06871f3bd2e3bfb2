/**
 * Peer web: the relay as a reverse proxy. It finds the friend by the host that a request asks for and carries request
 * and answer; it is an end of the connection, so it can read both. Connections are handed in, it listens nowhere.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http"
import type { Socket } from "node:net"
import type { Duplex } from "node:stream"
import { TLSSocket, type TLSSocketOptions } from "node:tls"
import { systemClock, type Clock } from "../clock/clock.ts"
import { grace } from "../clock/grace.ts"
import type { FaultCode } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { routeName, type Route } from "../route/route.ts"
import { answerFault, answerFaultRaw, answerOptions } from "./answer.ts"
import { BackendAgent } from "./backend-agent.ts"
import { carry, UNREADABLE_CONTENT, type Asking, type Carrying } from "./carry.ts"
import { findRoute, type Arrived, type FindOptions, type Found } from "./find-route.ts"
import { guardedProxy } from "./guarded-proxy.ts"
import { asksForWebSocket, carryUpgrade } from "./upgrade.ts"
import {
  BACKEND_KEEP_ALIVE_MS,
  DEADLINE_CHECK_MS,
  DEFAULT_WEB_LIMITS,
  HEADER_BYTES_MAX,
  PIPELINED_MAX,
  type WebLimits,
} from "./web-limits.ts"

export interface WebProxy {
  /** Takes a connection over; bytes already read from it must have been given back to it. */
  accept(socket: Socket, arrived: Arrived): void
  /** Accepts no more, lets requests under way end, then cuts what is left: after a grace, or when `cut` fires. */
  stop(cut?: AbortSignal): Promise<void>
}

export type WebOptions = FindOptions & {
  /** Rejects with a FaultError BACKEND_REFUSES, BACKEND_SILENT or BACKEND_UNKNOWN. A socket, half-open allowed, or a tunnel's stream. */
  readonly dial: (route: Route, deadlineMs: number) => Promise<Duplex>
  readonly log: Log
  readonly clock?: Clock
  readonly limits?: Partial<WebLimits>
  /** The relay's own certificate; without it no TLS is accepted. */
  readonly tls?: Pick<TLSSocketOptions, "secureContext" | "SNICallback">
}

export function webProxy(options: WebOptions): WebProxy {
  return new ReverseProxy(options)
}

/** One visitor's connection. Requests on it are carried one after the other. */
type Visit = {
  readonly arrived: Arrived
  /** The answer to the newest request; the next one waits for its end. */
  answer: ServerResponse | undefined
  waiting: number
}

class ReverseProxy implements WebProxy {
  readonly #options: WebOptions
  readonly #limits: WebLimits
  readonly #server: Server
  readonly #carrying: Carrying
  readonly #visits = new Map<Duplex, Visit>()
  readonly #agents = new WeakMap<Route, Record<"request" | "upgrade", BackendAgent>>()
  #stopped: (() => void) | undefined

  constructor(options: WebOptions) {
    this.#options = options
    this.#limits = { ...DEFAULT_WEB_LIMITS, ...options.limits }
    const { name, log } = options
    const stopping = (): boolean => this.#stopped !== undefined
    this.#carrying = { proxy: guardedProxy(), name, log, limits: this.#limits, stopping }
    this.#server = this.#serve()
  }

  accept(socket: Socket, arrived: Arrived): void {
    const end = arrived.tls ? this.#endTls(socket) : socket
    if (!end || this.#stopped) return void socket.destroy()
    this.#visits.set(end, { arrived, answer: undefined, waiting: 0 })
    end.once("close", () => this.#left(end))
    this.#server.emit("connection", end)
    end.resume() // it may have been paused while its first bytes were looked at
  }

  async stop(cut?: AbortSignal): Promise<void> {
    const stopped = new Promise<void>((resolve) => (this.#stopped = resolve))
    this.#server.close()
    for (const [end, { answer }] of this.#visits) if (!answer || answer.closed) end.destroy()
    const cutAll = (): void => this.#visits.forEach((_, end) => end.destroy())
    const forget = grace(this.#options.clock ?? systemClock, this.#limits.stopGraceMs, cut, cutAll)
    if (this.#visits.size > 0) await stopped
    forget()
  }

  #serve(): Server {
    const limits = this.#limits
    const server = createServer({
      insecureHTTPParser: false, // RFC 9112 to the letter, whatever the process was started with
      maxHeaderSize: HEADER_BYTES_MAX,
      requireHostHeader: false, // ours says more
      headersTimeout: limits.headerDeadlineMs,
      requestTimeout: limits.requestDeadlineMs,
      keepAliveTimeout: limits.keepAliveMs,
      connectionsCheckingInterval: Math.min(DEADLINE_CHECK_MS, limits.headerDeadlineMs),
      shouldUpgradeCallback: (request) => asksForWebSocket(request) && !this.#isAnswering(request),
    })
    server.maxHeadersCount = 0 // beyond a count Node drops fields, and one of them may be what frames the message
    server.timeout = limits.idleDeadlineMs
    server.on("request", (request, response) => this.#asked(request, response, false))
    server.on("checkContinue", (request, response) => this.#asked(request, response, true))
    server.on("upgrade", (request, socket, head) => this.#askedToUpgrade(request, socket, head))
    server.on("connect", (_, socket) => answerFaultRaw(socket, "METHOD_REFUSED"))
    server.on("clientError", (error: NodeJS.ErrnoException, socket) => this.#unreadable(error, socket))
    // Node arms the deadlines of connections when a server begins to listen, which this one never does.
    server.emit("listening")
    return server
  }

  #endTls(socket: Socket): TLSSocket | undefined {
    const { tls } = this.#options
    return tls && new TLSSocket(socket, { ...tls, isServer: true, ALPNProtocols: ["http/1.1"] })
  }

  #asked(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean): void {
    const visit = this.#visits.get(request.socket)
    if (!visit || visit.waiting >= PIPELINED_MAX) return void request.socket.destroy()
    const { answer: before } = visit
    response.on("error", () => response.destroy())
    visit.answer = response
    if (!before || before.closed) return this.#carry(request, response, expectsContinue, visit)
    visit.waiting += 1
    before.once("close", () => {
      visit.waiting -= 1
      if (!request.socket.destroyed) this.#carry(request, response, expectsContinue, visit)
    })
  }

  #carry(request: IncomingMessage, response: ServerResponse, expectsContinue: boolean, visit: Visit): void {
    const found = this.#find(request, visit.arrived, "request")
    switch (found.kind) {
      case "route":
        return carry(found.value, response, expectsContinue, this.#carrying)
      case "server":
        return answerOptions(response)
      case "refused":
        this.#refused(found, visit.arrived)
        return answerFault(response, found.code)
    }
  }

  #askedToUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    const visit = this.#visits.get(socket)
    if (!visit || !asksForWebSocket(request)) return answerFaultRaw(socket, "REQUEST_MALFORMED")
    const found = this.#find(request, visit.arrived, "upgrade")
    if (found.kind === "route") return carryUpgrade(found.value, socket, head, this.#carrying)
    if (found.kind === "refused") this.#refused(found, visit.arrived)
    answerFaultRaw(socket, found.kind === "refused" ? found.code : "REQUEST_MALFORMED")
  }

  #find(request: IncomingMessage, arrived: Arrived, as: "request" | "upgrade"): Found<Asking> {
    const { routeFor, name } = this.#options
    const found = findRoute(request, arrived, { routeFor, name })
    if (found.kind !== "route") return found
    const { route, target } = found.value
    return { kind: "route", value: { request, target, agent: this.#agentsOf(route)[as], route: routeName(route) } }
  }

  #agentsOf(route: Route): Record<"request" | "upgrade", BackendAgent> {
    const known = this.#agents.get(route)
    if (known) return known
    const connect = (): Promise<Duplex> => this.#options.dial(route, this.#limits.connectDeadlineMs)
    const agents = { request: new BackendAgent(connect, BACKEND_KEEP_ALIVE_MS), upgrade: new BackendAgent(connect, 0) }
    this.#agents.set(route, agents)
    return agents
  }

  /** What the parser refuses, and deadlines that pass before there is a request. */
  #unreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
    const visit = this.#visits.get(socket)
    const code = UNREADABLE[error.code ?? ""] ?? (error.code?.startsWith("HPE_") ? "REQUEST_MALFORMED" : undefined)
    // Not HTTP's fault (a reset, TLS), or in the middle of an answer: nothing can be said.
    if (!visit || !code || !mayBeAnswered(visit)) return void socket.destroy()
    this.#refused({ code, detail: error.message }, visit.arrived)
    visit.answer?.req.emit(UNREADABLE_CONTENT)
    answerFaultRaw(socket, code)
  }

  #isAnswering(request: IncomingMessage): boolean {
    const answer = this.#visits.get(request.socket)?.answer
    return answer !== undefined && !answer.closed
  }

  #refused({ code, detail }: { code: FaultCode; detail: string }, { listener, remote }: Arrived): void {
    this.#options.log.info("web request refused", { code, detail, listener, remote: remote.address })
  }

  #left(end: Duplex): void {
    this.#visits.delete(end)
    if (this.#visits.size === 0) this.#stopped?.()
  }
}

/**
 * Whether what is said now would be the answer to what could not be read: to a request that came after all others were
 * answered, or to the content of the only one that is open. An answer to another request would pass for its own.
 */
function mayBeAnswered({ answer, waiting }: Visit): boolean {
  if (!answer || answer.closed) return true
  return waiting === 0 && !answer.headersSent && !answer.req.complete
}

const UNREADABLE: Readonly<Record<string, FaultCode>> = {
  HPE_HEADER_OVERFLOW: "HEADERS_TOO_LARGE",
  ERR_HTTP_REQUEST_TIMEOUT: "REQUEST_SLOW",
}
