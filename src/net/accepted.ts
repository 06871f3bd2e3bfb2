/**
 * Accepted connections before they are sockets. Node makes a stream out of every connection it accepts, and offers no way
 * to read from it into buffers of ours; so the engine takes the bare handle and makes the one socket that is needed. This
 * file alone touches members that Node does not document (`_handle` and what it offers); test/unit/net/accepted.test.ts
 * holds them in place. Where they are missing, the same interface works on Node's own sockets, more slowly.
 */
import { Server, Socket, type OnReadOpts } from "node:net"
import type { DuplexOptions } from "node:stream"
import { getSystemErrorName } from "node:util"
import type { SocketAddress } from "../names/endpoint.ts"
import { ipAddress } from "../names/ip-address.ts"
import { SPLICED_HIGH_WATER_MARK_BYTES } from "./read-buffers.ts"

/** A connection that was accepted, before it is known what becomes of it. */
export interface Accepted {
  /** `undefined` when the visitor has reset the connection already. */
  readonly ends: { readonly remote: SocketAddress; readonly local: SocketAddress } | undefined
  /** The descriptor; `undefined` where Node does not say. */
  readonly fd: number | undefined
  /** As a socket that reads into the buffers of `reads` once it is resumed. */
  reading(reads: OnReadOpts): Socket
  /** As a socket such as Node makes, with `unread` given back to it; also in place of one that `reading` made. */
  ordinary(unread: Uint8Array): Socket
}

/** What becomes of a listening server's connections. */
export type Reception = {
  readonly accept: (accepted: Accepted) => void
  /** Told what accept(2) said when it failed. */
  readonly failed: (code: string) => void
  /** `false`: stay with documented members. */
  readonly bareHandles: boolean
}

/** Hands every connection of a listening server over, instead of its "connection" event. */
export function takeAccepted(server: Server, { accept, failed, bareHandles }: Reception): void {
  const listening = bareHandles ? listeningHandle(server) : undefined
  if (!listening) {
    server.on("connection", (socket: Socket) => accept(new AcceptedSocket(socket)))
    server.on("error", (error: NodeJS.ErrnoException) => failed(error.code ?? error.message))
    return
  }
  listening.onconnection = (status, handle) => {
    if (status !== 0 || !handle) failed(getSystemErrorName(status))
    else accept(new AcceptedHandle(handle))
  }
}

/** The descriptor that a server listens on; `undefined` where Node does not say. */
export function descriptorOf(server: Server): number | undefined {
  const handle = listeningHandle(server)
  return handle && "fd" in handle && typeof handle.fd === "number" && handle.fd >= 0 ? handle.fd : undefined
}

class AcceptedHandle implements Accepted {
  readonly ends: Accepted["ends"]
  readonly #handle: TcpHandle
  #reading: Socket | undefined

  constructor(handle: TcpHandle) {
    this.#handle = handle
    this.ends = endsOf(nameOf(handle, "getpeername"), nameOf(handle, "getsockname"))
  }

  get fd(): number {
    return this.#handle.fd
  }

  reading(reads: OnReadOpts): Socket {
    this.#reading = socketOf(this.#handle, reads, { writableHighWaterMark: SPLICED_HIGH_WATER_MARK_BYTES })
    return this.#reading
  }

  ordinary(unread: Uint8Array): Socket {
    if (!this.#reading) return socketOf(this.#handle)
    detach(this.#reading)
    this.#handle.reading = false // or the new socket would wait for bytes that nobody reads
    // A handle that was given a buffer cannot go back to Node's own reading, so it keeps one and pushes copies.
    const onread: OnReadOpts = {
      buffer: Buffer.allocUnsafeSlow(ADOPTED_READ_BYTES),
      callback: (readBytes, buffer) => ordinary.push(Buffer.from(buffer.subarray(0, readBytes))),
    }
    const ordinary = socketOf(this.#handle, onread)
    if (unread.length > 0) ordinary.unshift(unread)
    return ordinary
  }
}

/** The same on Node's own socket, which allocates for every read. */
class AcceptedSocket implements Accepted {
  readonly fd: undefined
  readonly ends: Accepted["ends"]
  readonly #socket: Socket
  readonly #nodesOwn: ReadonlySet<unknown>

  constructor(socket: Socket) {
    this.#socket = socket
    this.#nodesOwn = new Set(LISTENED_FOR.flatMap((event) => socket.listeners(event)))
    this.ends = endsOf(
      { address: socket.remoteAddress, port: socket.remotePort },
      { address: socket.localAddress, port: socket.localPort },
    )
  }

  reading(reads: OnReadOpts): Socket {
    const socket = this.#socket
    socket.on("data", (bytes: Buffer) => void (reads.callback(bytes.length, bytes) || socket.pause()))
    return socket.pause()
  }

  ordinary(unread: Uint8Array): Socket {
    const socket = this.#socket
    // One by one: to remove all at once would also set a stopped stream flowing, with nobody to listen.
    for (const event of LISTENED_FOR) {
      for (const listener of socket.listeners(event))
        if (!this.#nodesOwn.has(listener)) socket.off(event, listener as () => void)
    }
    // Node takes nothing back after the end, so who has finished already cannot be given away here.
    if (socket.readableEnded) return socket.resetAndDestroy()
    if (unread.length > 0) socket.unshift(unread)
    // A stream that was stopped does not start by being listened to, as a new one does.
    process.nextTick(() => socket.listenerCount("data") > 0 && socket.resume())
    return socket
  }
}

/** What whoever reads listens for. */
const LISTENED_FOR = ["data", "end", "error", "close"] as const

/** Node's own wrapping of a TCP descriptor, as far as we use it. */
type TcpHandle = {
  readonly fd: number
  getpeername(into: Name): number
  getsockname(into: Name): number
  setNoDelay(on: boolean): number
  /** Whether Node believes that it has asked for bytes. */
  reading: boolean
}
type ListeningHandle = { onconnection: (status: number, handle: TcpHandle | undefined) => void }
type Name = { address?: string | undefined; port?: number | undefined }

function socketOf(handle: TcpHandle, onread?: OnReadOpts, more: DuplexOptions = {}): Socket {
  handle.setNoDelay(true)
  // Node's own net.Server makes its sockets with the first two; neither is documented.
  const options: object = { handle, manualStart: true, allowHalfOpen: true, ...(onread && { onread }), ...more }
  return new Socket(options)
}

/** Takes the handle away from a socket, which then ends without touching the connection. */
function detach(socket: Socket): void {
  socket.removeAllListeners()
  const owner: { _handle?: unknown } = socket as object
  owner._handle = null
  socket.destroy()
}

/** Ours: what an adopted connection reads at once. */
const ADOPTED_READ_BYTES = 16 * 1024

function listeningHandle(server: Server): ListeningHandle | undefined {
  const { _handle: handle } = server as { _handle?: unknown }
  const known = typeof handle === "object" && handle !== null && "onconnection" in handle
  return known && typeof handle.onconnection === "function" ? (handle as ListeningHandle) : undefined
}

function nameOf(handle: TcpHandle, which: "getpeername" | "getsockname"): Name {
  const name: Name = {}
  return handle[which](name) === 0 ? name : {}
}

function endsOf(remote: Name, local: Name): Accepted["ends"] {
  const ends = { remote: socketAddressOf(remote), local: socketAddressOf(local) }
  return ends.remote && ends.local ? { remote: ends.remote, local: ends.local } : undefined
}

function socketAddressOf({ address, port }: Name): SocketAddress | undefined {
  const checked = ipAddress(address?.split("%")[0] ?? "")
  return checked && port !== undefined ? { address: checked, port } : undefined
}
