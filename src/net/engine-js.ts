/**
 * The engine that runs everywhere: Node's sockets, spliced. Every connection is a visit; this file only opens the doors
 * and counts who is inside.
 */
import { once } from "node:events"
import { createServer, type Server } from "node:net"
import { systemClock, type Clock } from "../clock/clock.ts"
import type { Log } from "../log/log.ts"
import type { SocketAddress } from "../names/endpoint.ts"
import { isIpv6 } from "../names/ip-address.ts"
import { descriptorOf, takeAccepted, type Accepted } from "./accepted.ts"
import { Bucket } from "./bucket.ts"
import { bindRefused } from "./bind-refused.ts"
import { Crowd } from "./crowd.ts"
import { Deadlines } from "./deadlines.ts"
import { Descriptors } from "./descriptors.ts"
import type { Engine, ListenOptions, OpenListener } from "./engine.ts"
import { Meter } from "./meter.ts"
import { ReadBuffers } from "./read-buffers.ts"
import { seldom } from "./seldom.ts"
import { splice } from "./splice.ts"
import { receive, type Door, type Visit } from "./visit.ts"

/** Ours: who has connected and is not yet accepted. The kernel cuts it to net.core.somaxconn. */
const BACKLOG_CONNECTIONS = 4096

/** Ours: how long a stop takes in whoever still comes. */
const STOP_PATIENCE_MS = 1_000

export type JavascriptEngineOptions = {
  readonly clock?: Clock
  readonly log: Log
  /** `false`: without the undocumented members of Node that make accepting cheaper (accepted.ts). */
  readonly bareHandles?: boolean
  /** How many this process may have open; what the system says if not given. */
  readonly descriptorsMax?: number
}

type Surroundings = Required<Pick<JavascriptEngineOptions, "clock" | "bareHandles">>

export function javascriptEngine(options: JavascriptEngineOptions): Engine {
  const { clock = systemClock, log, bareHandles = true, descriptorsMax } = options
  const deadlines = new Deadlines(clock)
  const buffers = new ReadBuffers()
  const descriptors = new Descriptors(descriptorsMax)
  const listeners = new Set<Listener>()
  return {
    kind: "javascript",
    async listen(listen, decide) {
      const servers = listen.given?.length ? await Promise.all(listen.given.map(takeOver)) : [await bind(listen)]
      const door = { listen, decide, deadlines, buffers, descriptors, log }
      const listener = new Listener(servers, door, { clock, bareHandles })
      listeners.add(listener)
      return listener
    },
    splice,
    meter: () => new Meter({ tokens: new Bucket(clock), deadlines }),
    async close() {
      await Promise.all([...listeners].map((listener) => listener.close()))
      listeners.clear()
    },
  }
}

class Listener implements OpenListener {
  readonly bound: SocketAddress
  readonly #servers: readonly Server[]
  readonly #clock: Clock
  readonly #inside = new Crowd<"doorPlace", Visit>("doorPlace")
  #waiting: (() => void)[] = []
  #arrivals = 0

  constructor(
    servers: readonly Server[],
    common: Omit<Door, "entered" | "left" | "noRoom">,
    { clock, bareHandles }: Surroundings,
  ) {
    this.#servers = servers
    this.#clock = clock
    const { bind: asked, name } = common.listen
    const failed = seldom(clock, (code) => common.log.warn("accept-failed", { listener: name, code }))
    const address = servers[0]?.address()
    this.bound = { ...asked, port: typeof address === "object" && address ? address.port : asked.port }
    const door = {
      ...common,
      entered: (visit: Visit) => this.#inside.add(visit),
      left: (visit: Visit) => this.#left(visit),
      noRoom: () => failed("EMFILE"),
    }
    const accept = (accepted: Accepted): void => {
      this.#arrivals += 1
      receive(accepted, door)
    }
    for (const server of servers) takeAccepted(server, { accept, failed, bareHandles })
  }

  get descriptors(): readonly number[] {
    return this.#servers.flatMap((server) => descriptorOf(server) ?? [])
  }

  async stop(): Promise<void> {
    // Whom the kernel has greeted already would be reset. A turn of the event loop takes one of them in, at least; it takes
    // two immediates to be sure of a whole one. Where visitors come without a pause there is no end to them.
    const until = this.#clock.now() + STOP_PATIENCE_MS
    for (let before = -1; before !== this.#arrivals && this.#clock.now() < until;) {
      before = this.#arrivals
      await new Promise(setImmediate)
      await new Promise(setImmediate)
    }
    // Not awaited: where Node counts accepted sockets itself, "closed" comes only when all of them are.
    for (const server of this.#servers) server.close()
  }

  drained(): Promise<void> {
    if (this.#inside.size === 0) return Promise.resolve()
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  async close(): Promise<void> {
    await this.stop()
    for (const visit of this.#inside.members.slice()) visit.cut("cancelled")
    await this.drained()
  }

  #left(visit: Visit): void {
    this.#inside.remove(visit)
    if (this.#inside.size > 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** Rejects with what the system says: such a descriptor is somebody's mistake, and there is no address to name. */
async function takeOver(descriptor: number): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  await once(server.listen({ fd: descriptor }, BACKLOG_CONNECTIONS), "listening")
  return server
}

function bind({ bind: { address, port }, name }: ListenOptions): Promise<Server> {
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(bindRefused(name, { address, port }, error.code ?? error.message, error)),
    )
    // An IPv6 wildcard leaves the IPv4 one to a bind of its own.
    const options = { host: address, port, backlog: BACKLOG_CONNECTIONS, ipv6Only: isIpv6(address) }
    server.listen(options, () => {
      server.removeAllListeners("error")
      resolve(server)
    })
  })
}
