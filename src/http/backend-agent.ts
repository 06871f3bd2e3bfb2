/**
 * The connections to one route's backend. Each route has its own agent, so that no connection that carried one friend's
 * requests is ever used for another's, and a backend is reached however the relay reaches it: by TCP or by tunnel.
 */
import { Agent, type ClientRequest } from "node:http"
import { Socket } from "node:net"
import type { Duplex } from "node:stream"

/** Opens a connection to a backend; rejects with a FaultError BACKEND_REFUSES, BACKEND_SILENT or BACKEND_UNKNOWN. */
export type Connect = () => Promise<Duplex>

export class BackendAgent extends Agent {
  readonly #connect: Connect
  #asked: ClientRequest | undefined

  /** With `keepAliveMs` 0 every request gets a connection of its own, as an upgrade must. */
  constructor(connect: Connect, keepAliveMs: number) {
    super({ keepAlive: keepAliveMs > 0, timeout: keepAliveMs, scheduling: "lifo" })
    this.#connect = connect
  }

  /** What `ask` requests from this agent; http-proxy makes the request and keeps it to itself. */
  requestedBy(ask: () => void): ClientRequest | undefined {
    this.#asked = undefined
    ask()
    return this.#asked
  }

  /** Called by every new ClientRequest, synchronously. Not in the types, though agents have had it since Node 0.11. */
  addRequest(request: ClientRequest, options: unknown): void {
    this.#asked = request
    AGENT.addRequest.call(this, request, options)
  }

  override createConnection(_: unknown, done?: Connected): undefined {
    void this.#dial(done)
  }

  async #dial(done: Connected | undefined): Promise<void> {
    try {
      done?.(null, asSocket(await this.#connect()))
    } catch (error) {
      done?.(error as Error, undefined as never) // the second is not looked at when there is a first (node:_http_agent)
    }
  }
}

/** A tunnel's stream has most of what node:http and http-proxy ask of a socket; the rest means nothing to it. */
function asSocket(stream: Duplex): Duplex {
  return stream instanceof Socket ? stream : Object.assign(stream, SOCKET_ONLY)
}

const SOCKET_ONLY = {
  setNoDelay(this: Duplex) {
    return this
  },
  setKeepAlive(this: Duplex) {
    return this
  },
  ref(this: Duplex) {
    return this
  },
  unref(this: Duplex) {
    return this
  },
  destroySoon(this: Duplex) {
    this.end(() => this.destroy())
  },
}

type Connected = (error: Error | null, socket: Duplex) => void

/** The cast gives a name to the one untyped method; a test calls it through node:http. */
const AGENT = Agent.prototype as unknown as { addRequest(this: Agent, request: ClientRequest, options: unknown): void }
