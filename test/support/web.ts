/** A web proxy with real sockets on loopback around it: a door to it, backends behind it, a visitor who speaks bytes. */
import { once } from "node:events"
import type { RequestListener } from "node:http"
import { createServer as createHttpServer } from "node:http"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import type { Duplex } from "node:stream"
import type { TLSSocketOptions } from "node:tls"
import { FaultError, fault } from "../../src/faults/faults.ts"
import type { WebLimits } from "../../src/http/web-limits.ts"
import { webProxy, type WebProxy } from "../../src/http/web-proxy.ts"
import type { Fields, Log } from "../../src/log/log.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"
import type { Route } from "../../src/route/route.ts"

export type Doored = AsyncDisposable & {
  readonly proxy: WebProxy
  readonly port: number
  readonly logged: { readonly event: string; readonly fields: Fields | undefined }[]
}

export type DoorOptions = {
  /** Which backend port each host leads to. */
  readonly hosts: Readonly<Record<string, number>>
  readonly limits?: Partial<WebLimits>
  readonly tls?: Pick<TLSSocketOptions, "secureContext">
  /** Reads the first bytes of a connection and gives them back, as whoever looks for a server name does. */
  readonly peeks?: boolean
  readonly dial?: (route: Route) => Promise<Duplex>
}

/** A listening socket that hands every connection to a web proxy called `relay.bob.example`. */
export async function door({ hosts, limits, tls, peeks, dial = dialTcp }: DoorOptions): Promise<Doored> {
  const logged: Doored["logged"] = []
  const note = (event: string, fields?: Fields): void => void logged.push({ event, fields })
  const log: Log = { info: note, warn: note, error: note }
  const routes = new Map(Object.entries(hosts).map(([host, port]) => [host, route(host, port)]))
  const proxy = webProxy({
    name: name("relay.bob.example"),
    log,
    routeFor: (_, host) => routes.get(host),
    dial,
    ...(limits && { limits }),
    ...(tls && { tls }),
  })
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    const remote = { address: ip(socket.remoteAddress), port: socket.remotePort ?? 0 }
    const local = { address: ip(socket.localAddress), port: socket.localPort ?? 0 }
    const accept = (): void => proxy.accept(socket, { listener: "http", remote, local, tls: tls !== undefined })
    if (!peeks) return accept()
    socket.once("data", (first: Buffer) => {
      socket.pause().unshift(first)
      accept()
    })
  })
  const port = await listen(server)
  return {
    proxy,
    port,
    logged,
    async [Symbol.asyncDispose]() {
      server.close()
      await proxy.stop()
    },
  }
}

/** A friend's HTTP server; `open` counts its connections that are still there. */
export async function backend(answer: RequestListener): Promise<Backend> {
  return keep(createHttpServer(answer))
}

/** A backend that is only a socket: it says what it is told to, and keeps what it hears. */
export async function rawBackend(visit: (socket: Socket) => void): Promise<Backend & { heard(): string }> {
  let heard = ""
  const kept = await keep(
    createServer({ allowHalfOpen: true }, (socket) => {
      socket
        .on("data", (piece: Buffer) => (heard += piece.toString("latin1")))
        .on("error", () => undefined)
        .on("end", () => socket.end())
      visit(socket)
    }),
  )
  return { ...kept, heard: () => heard }
}

export type Backend = AsyncDisposable & { readonly port: number; open(): number; accepted(): number }

async function keep(server: Server): Promise<Backend> {
  const sockets = new Set<Socket>()
  let accepted = 0
  server.on("connection", (socket: Socket) => {
    accepted += 1
    sockets.add(socket)
    socket.once("close", () => sockets.delete(socket))
  })
  return {
    port: await listen(server),
    open: () => sockets.size,
    accepted: () => accepted,
    async [Symbol.asyncDispose]() {
      server.close()
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Sends the bytes and reads until the other side closes, or until `enough` says so. */
export async function say(port: number, bytes: string | Buffer, enough?: (heard: string) => boolean): Promise<string> {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true })
  socket.on("error", () => undefined).write(bytes, "latin1")
  return hear(socket, enough)
}

export async function hear(socket: Socket, enough?: (heard: string) => boolean): Promise<string> {
  let heard = ""
  await new Promise<void>((resolve) => {
    socket.on("data", (piece: Buffer) => {
      heard += piece.toString("latin1")
      if (enough?.(heard)) resolve()
    })
    socket.once("end", resolve).once("close", resolve)
  })
  socket.destroy()
  return heard
}

/** Waits until it is so; the test's own time limit is what ends it otherwise. */
export async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5))
}

export async function listen(server: Server): Promise<number> {
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

export function route(host: string, port: number): Route {
  return {
    friend: host.split(".")[0] ?? host,
    listener: "http",
    protocol: "http",
    matches: [{ by: "host", names: [{ name: name(host), wildcard: false }] }],
    carry: { mode: "peer", as: "web", cache: false },
    to: { kind: "tcp", to: [{ host: ip("127.0.0.1"), port }] },
  }
}

async function dialTcp({ to }: Route): Promise<Socket> {
  const port = to.kind === "tcp" ? to.to[0].port : 0
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true, noDelay: true })
  try {
    await once(socket, "connect")
  } catch (error) {
    throw new FaultError(fault("BACKEND_REFUSES", String(error)), { cause: error })
  }
  return socket
}

export function name(text: string): Hostname {
  const parsed = hostname(text)
  if (!parsed) throw new Error(`not a host name: ${text}`)
  return parsed
}

function ip(text: string | undefined): IpAddress {
  const parsed = ipAddress(text ?? "")
  if (!parsed) throw new Error(`not an address: ${text}`)
  return parsed
}
