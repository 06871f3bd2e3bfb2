/** One question and one answer: over UDP from a port of its own, or over TCP with a length in front (RFC 1035 §4.2). */
import { createSocket } from "node:dgram"
import { connect } from "node:net"
import type { SocketAddress } from "../names/endpoint.ts"
import { isIpv6 } from "../names/ip-address.ts"

export type Question = {
  readonly question: Uint8Array
  readonly deadlineMs: number
  /** The process need not live until it is answered. */
  readonly background: boolean
}

/**
 * Sends `question` and resolves with the first datagram from that server that `isAnswer` accepts: a forged one that
 * guesses wrong is passed over, not believed. Rejects when none has come after `deadlineMs`, or when `signal` fires.
 */
export function exchangeDatagrams<Answer>(
  server: SocketAddress,
  { question, deadlineMs, background, signal }: Question & { readonly signal?: AbortSignal },
  isAnswer: (bytes: Uint8Array) => Answer | undefined,
): Promise<Answer> {
  const socket = createSocket(isIpv6(server.address) ? "udp6" : "udp4")
  const { promise, resolve, reject } = Promise.withResolvers<Answer>()
  const timer = setTimeout(() => reject(new Error(`no answer from ${server.address} in ${deadlineMs} ms`)), deadlineMs)
  const cut = () => reject(new Error(`${server.address} is not asked any more`))
  signal?.addEventListener("abort", cut)
  if (signal?.aborted) cut()
  if (background) {
    socket.unref()
    timer.unref()
  }
  socket.on("message", (bytes) => {
    const answer = isAnswer(bytes)
    if (answer !== undefined) resolve(answer)
  })
  socket.on("error", reject)
  // Connected: the kernel passes on only what comes from this server, and its refusal becomes an error.
  socket.connect(server.port, server.address, () => socket.send(question))
  return promise.finally(() => {
    clearTimeout(timer)
    signal?.removeEventListener("abort", cut)
    socket.close()
  })
}

/** As `exchangeDatagrams`, over a TCP connection of its own; for answers that do not fit into a datagram. */
export function exchangeOverTcp<Answer>(
  server: SocketAddress,
  { question, deadlineMs, background }: Question,
  isAnswer: (bytes: Uint8Array) => Answer | undefined,
): Promise<Answer> {
  const socket = connect({ host: server.address, port: server.port, noDelay: true })
  if (background) socket.unref()
  const length = Buffer.alloc(2)
  length.writeUInt16BE(question.length)
  socket.write(Buffer.concat([length, question]))
  let received = Buffer.alloc(0)
  return new Promise<Answer>((resolve, reject) => {
    socket.setTimeout(deadlineMs, () => reject(new Error(`no answer from ${server.address} in ${deadlineMs} ms`)))
    socket.on("error", reject)
    socket.on("close", () => reject(new Error(`${server.address} hung up before it answered`)))
    socket.on("data", (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE()) return
      const answer = isAnswer(received.subarray(2, 2 + received.readUInt16BE()))
      if (answer === undefined) reject(new Error(`${server.address} answered something else`))
      else resolve(answer)
    })
  }).finally(() => socket.destroy())
}
