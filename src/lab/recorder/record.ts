/**
 * A tap for a whole process: preloaded with `node --import`, it writes down every byte that any of the process's
 * sockets gave to or took from JavaScript. Bytes that arrive inside TLS which this process ends are seen decrypted;
 * bytes of TLS that merely passes are seen as they passed. So the recording is what the process held in the clear.
 * It never runs in a relay that carries for somebody: the demo and the scenarios load it to check the policy's claims.
 * It does not see what a native engine moves inside the kernel; run the JavaScript engine under it.
 */
/* oxlint-disable typescript/unbound-method -- the originals are only ever called with their socket */
import { subscribe } from "node:diagnostics_channel"
import { openSync, writeSync } from "node:fs"
import { HTTPParser } from "node:_http_common"
import type { Http2Stream } from "node:http2"
import { Socket, type OnReadOpts } from "node:net"
import { TLSSocket } from "node:tls"
import { threadId } from "node:worker_threads"
import type { Record } from "./recording.ts"

const file = process.env["WAYPOST_RECORDING"]
if (file) tap(openSync(file, "a", 0o600))

function tap(recording: number): void {
  const write = ({ id, tls, remote, local }: About, way: Record["way"], bytes: Uint8Array): void => {
    const record: Record = { id, tls, remote, local, way, base64: Buffer.from(bytes).toString("base64") }
    writeSync(recording, `${JSON.stringify(record)}\n`) // at once: a killed process leaves all it held
  }
  const keep: Keep = (socket, way, bytes) => write(about(socket), way, bytes)
  tapReads(keep)
  tapWrites(keep)
  tapTunnels(write)
}

type Keep = (socket: Socket, way: Record["way"], bytes: Uint8Array) => void
type KeepOf = (about: About, way: Record["way"], bytes: Uint8Array) => void

/** Every byte that a socket reads is pushed into it as a stream, decrypted if the socket is a TLS one; or see below. */
function tapReads(keep: Keep): void {
  const { push } = Socket.prototype
  Socket.prototype.push = function (this: Socket, chunk: unknown, encoding?: BufferEncoding) {
    if (chunk instanceof Uint8Array && !readsIntoBuffers.has(this)) keep(this, "in", chunk)
    return push.call(this, chunk, encoding)
  }
  // An HTTP server's parser would take the bytes from below the stream; without this it reads the stream like others.
  HTTPParser.prototype.consume = () => {}
  tapReadsIntoBuffers(keep)
}

type OnRead = OnReadOpts["callback"]
const readsIntoBuffers = new WeakMap<Socket, OnRead>()

/** A socket with the `onread` option pushes nothing; Node sets its callback under a symbol, where this stands in wait. */
function tapReadsIntoBuffers(keep: Keep): void {
  const sample = new Socket({ onread: { buffer: Buffer.alloc(1), callback: () => true } })
  const callbackSymbol = Object.getOwnPropertySymbols(sample).find(({ description }) => description === "kBufferCb")
  if (!callbackSymbol) throw new Error("this Node keeps `onread` elsewhere; the recorder would miss what sockets read")
  Object.defineProperty(Socket.prototype, callbackSymbol, {
    get(this: Socket) {
      return readsIntoBuffers.get(this) ?? null
    },
    set(this: Socket, callback: OnRead | null) {
      if (callback) readsIntoBuffers.set(this, keptBefore(this, callback))
      else readsIntoBuffers.delete(this)
    },
  })
  function keptBefore(socket: Socket, callback: OnRead): OnRead {
    return (readBytes, buffer) => {
      keep(socket, "in", buffer.subarray(0, readBytes))
      return callback.call(socket, readBytes, buffer)
    }
  }
}

/** Every byte that a socket writes goes through one of these two (node:stream, "Implementing a writable stream"). */
function tapWrites(keep: Keep): void {
  const { _write, _writev } = Socket.prototype
  Socket.prototype._write = function (this: Socket, chunk: unknown, encoding, done) {
    keep(this, "out", bytesOf(chunk, encoding))
    _write.call(this, chunk, encoding, done)
  }
  Socket.prototype._writev = function (this: Socket, chunks, done) {
    for (const { chunk, encoding } of chunks) keep(this, "out", bytesOf(chunk, encoding))
    _writev?.call(this, chunks, done)
  }
}

/** HTTP/2 takes a socket's bytes from below it as well; what it makes of them is seen where its streams give and take. */
function tapTunnels(keep: KeepOf): void {
  for (const side of ["client", "server"]) {
    // The message is Node's own (diagnostics_channel, "HTTP/2").
    subscribe(`http2.${side}.stream.created`, (message) => tapStream((message as { stream: Http2Stream }).stream, keep))
  }
}

function tapStream(stream: Http2Stream, keep: KeepOf): void {
  const { push, _write, _writev } = stream
  const { socket, encrypted } = stream.session ?? {}
  const remote = end(socket?.remoteAddress, socket?.remotePort)
  const local = end(socket?.localAddress, socket?.localPort)
  const known: About = { id: nextId(), tls: encrypted === true, remote, local }
  stream.push = (chunk: unknown, encoding?: BufferEncoding) => {
    if (chunk instanceof Uint8Array) keep(known, "in", chunk)
    return push.call(stream, chunk, encoding)
  }
  stream._write = (chunk: unknown, encoding, done) => {
    keep(known, "out", bytesOf(chunk, encoding))
    _write.call(stream, chunk, encoding, done)
  }
  stream._writev = (chunks, done) => {
    for (const { chunk, encoding } of chunks) keep(known, "out", bytesOf(chunk, encoding))
    _writev?.call(stream, chunks, done)
  }
}

function bytesOf(chunk: unknown, encoding: BufferEncoding): Uint8Array {
  return typeof chunk === "string"
    ? Buffer.from(chunk, encoding)
    : chunk instanceof Uint8Array
      ? chunk
      : Buffer.alloc(0)
}

type About = Pick<Record, "id" | "tls" | "remote" | "local">
/** By connection, not by socket: the engine may give a connection to another socket in the middle. */
const known = new WeakMap<object, About>()
let count = 0

/** Asked for again while the addresses are unknown: a dialled socket learns them when it is connected. */
function about(socket: Socket): About {
  const { _handle: handle } = socket as { _handle?: object | null } & Socket
  const before = known.get(socket) ?? (handle ? known.get(handle) : undefined)
  if (before?.remote) return before
  const id = before?.id ?? nextId()
  const remote = end(socket.remoteAddress, socket.remotePort)
  const found = { id, tls: socket instanceof TLSSocket, remote, local: end(socket.localAddress, socket.localPort) }
  for (const key of [socket, handle]) if (key) known.set(key, found)
  return found
}

function nextId(): string {
  return `${process.pid}.${threadId}.${++count}`
}

function end(address: string | undefined, port: number | undefined): string {
  return address === undefined ? "" : `${address} ${port}`
}
