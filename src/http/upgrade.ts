/** One WebSocket: its handshake (RFC 6455 §4), then bytes both ways, each direction until its own end. */
import type { IncomingHttpHeaders, IncomingMessage } from "node:http"
import type { Duplex } from "node:stream"
import { answerFaultRaw } from "./answer.ts"
import type { Asking, Carrying } from "./carry.ts"
import { responseFields } from "./fields.ts"
import { codeOf, silent, TARGET } from "./guarded-proxy.ts"

/** RFC 6455 §4.1: a GET without content that asks for `websocket`. Any other protocol may be left unanswered (RFC 9110 §7.8). */
export function asksForWebSocket(request: IncomingMessage): boolean {
  const { upgrade, "content-length": length, "transfer-encoding": coding } = request.headers
  const isWebSocket = request.method === "GET" && upgrade?.toLowerCase() === "websocket"
  return isWebSocket && length === undefined && coding === undefined
}

/** Carries an upgrade that was found its route, on a backend connection of its own. */
export function carryUpgrade(asking: Asking, socket: Duplex, head: Buffer, carrying: Carrying): void {
  const { request, agent, route } = asking
  const { proxy, name, log, limits } = carrying
  request.headers = { ...request.headers, connection: "Upgrade", upgrade: "websocket" }
  let answered = false
  const failed = (error: Error): void => {
    log.warn("web upgrade failed", { route, code: codeOf(error), detail: error.message })
    if (answered)
      socket.destroy() // whatever we said would be taken for a message
    else answerFaultRaw(socket, codeOf(error))
  }
  const upstream = agent.requestedBy(() => proxy.ws(request, socket, head, { ...TARGET, agent }, failed))
  if (!upstream) return answerFaultRaw(socket, "BACKEND_FAULTY")
  upstream.path = asking.target
  upstream.setTimeout(limits.silenceDeadlineMs, () => upstream.destroy(silent("no answer to an upgrade")))
  const passing = (answer: IncomingMessage): IncomingHttpHeaders => {
    answered = true
    return responseFields(answer.headers, answer.httpVersion, name)
  }
  upstream.prependListener("response", (answer) => {
    answer.headers = { ...passing(answer), connection: "close" }
  })
  upstream.prependListener("upgrade", (answer) => {
    answer.headers = { ...passing(answer), connection: "Upgrade", upgrade: "websocket" }
  })
  upstream.on("upgrade", (_, backend) => {
    for (const end of [request.socket, backend]) end.setTimeout(limits.idleDeadlineMs, () => end.destroy())
    socket.once("close", () => backend.destroySoon())
  })
  socket.once("close", () => upstream.destroy())
  socket.once("end", () => {
    if (!answered) socket.destroy()
  })
  socket.read(0) // nobody else reads before the answer, and a visitor who leaves would go unnoticed
}
