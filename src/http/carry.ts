/** One request and its answer, between a visitor and a friend's backend. */
import type { ClientRequest, IncomingMessage, ServerResponse } from "node:http"
import type { ProxyServer } from "http-proxy"
import type { Log } from "../log/log.ts"
import type { Hostname } from "../names/hostname.ts"
import { answerFault } from "./answer.ts"
import type { BackendAgent } from "./backend-agent.ts"
import { responseFields, trailerFields } from "./fields.ts"
import { codeOf, faulty, late, silent, TARGET } from "./guarded-proxy.ts"
import type { WebLimits } from "./web-limits.ts"

/** What all exchanges of a proxy have in common. */
export type Carrying = {
  readonly proxy: ProxyServer
  readonly name: Hostname
  readonly log: Log
  readonly limits: WebLimits
  /** No more requests are wanted: answers ask visitors to leave. */
  readonly stopping: () => boolean
}

/** One request, its fields already set to what the backend is to see. */
export type Asking = {
  readonly request: IncomingMessage
  readonly target: string
  readonly agent: BackendAgent
  /** For the log. */
  readonly route: string
}

/** Emitted by a request whose content the parser refuses: what was begun with it is given up, and somebody else answers. */
export const UNREADABLE_CONTENT = "waypost: unreadable content"

/** Carries a request that was found its route. Answers for whatever fails; leaves no connection behind. */
export function carry(asking: Asking, response: ServerResponse, expectsContinue: boolean, carrying: Carrying): void {
  const { request, agent, route } = asking
  let answer: IncomingMessage | undefined
  let failedBefore = false
  const failed = (error: Error): void => {
    if (failedBefore || response.closed || response.writableEnded) return
    failedBefore = true
    answer?.unpipe(response)
    if (upstream && !answer && mayAskAgain(request, upstream, response))
      return carry(asking, response, expectsContinue, carrying)
    carrying.log.warn("web request failed", { route, code: codeOf(error), detail: error.message })
    answerFault(response, codeOf(error))
  }
  const upstream = agent.requestedBy(() => carrying.proxy.web(request, response, { ...TARGET, agent }, failed))
  if (!upstream) return answerFault(response, "BACKEND_FAULTY")
  upstream.path = asking.target // http-proxy drops a question mark with nothing behind it
  request.once(UNREADABLE_CONTENT, () => {
    failedBefore = true
    upstream.destroy() // before the end of the content: the backend sees that it is not whole
  })
  let theirTurn = !expectsContinue
  if (expectsContinue) passExpectation(upstream, response, () => (theirTurn = true))
  upstream.setTimeout(carrying.limits.silenceDeadlineMs, () => {
    const visitorIsLate = theirTurn && !request.complete && !upstream.writableNeedDrain
    upstream.destroy(visitorIsLate ? late("the content stopped") : silent("no answer"))
  })
  upstream.on("information", ({ statusCode, headers }) => passHints(statusCode, headers, response))
  upstream.prependListener("response", (begun) => {
    answer = begun
    passAnswer(begun, upstream, response, carrying)
  })
  upstream.once("close", () => {
    if (!answer) failed(faulty("closed without an answer")) // also after a switch of protocols that nobody asked for
  })
  response.once("close", () => {
    if (!upstream.writableFinished || !answer?.complete) upstream.destroy()
  })
}

/**
 * RFC 9112 §9.3.1: a kept connection may be closed by the backend just as it is used again; RFC 9110 §9.2.2 lets a
 * proxy repeat what is idempotent. Only what has no content, which would be gone.
 */
function mayAskAgain(request: IncomingMessage, upstream: ClientRequest, response: ServerResponse): boolean {
  const { "content-length": length, "transfer-encoding": coding } = request.headers
  const repeatable = request.method === "GET" || request.method === "HEAD" || request.method === "OPTIONS"
  const hasContent = length !== undefined || coding !== undefined
  return upstream.reusedSocket && repeatable && !hasContent && !response.headersSent
}

/** RFC 9110 §10.1.1: the backend says 100, or refuses before the content has been sent for nothing. */
function passExpectation(upstream: ClientRequest, response: ServerResponse, continued: () => void): void {
  upstream.setHeader("expect", "100-continue")
  upstream.flushHeaders()
  upstream.once("continue", () => {
    continued()
    response.writeContinue()
  })
}

/** RFC 8297: the one interim answer that browsers use. Others may be dropped unless they were asked for (RFC 9110 §15.2). */
function passHints(status: number, { link }: NodeJS.Dict<string | string[]>, response: ServerResponse): void {
  if (status === 103 && link !== undefined && !response.headersSent) response.writeEarlyHints({ link })
}

/** Runs before http-proxy copies the answer, and leaves it only what may be copied. */
function passAnswer(answer: IncomingMessage, upstream: ClientRequest, response: ServerResponse, to: Carrying): void {
  const { statusCode = 0, statusMessage = "" } = answer
  if (statusCode < 200) {
    answerFault(response, "BACKEND_FAULTY") // 099 is three digits to a parser and a RangeError to a server
    return void upstream.destroy()
  }
  const connection = response.shouldKeepAlive && !to.stopping() ? "keep-alive" : "close"
  answer.headers = { ...responseFields(answer.headers, answer.httpVersion, to.name), connection }
  answer.statusMessage = REASON.test(statusMessage) ? statusMessage : ""
  answer.once("end", () => response.addTrailers(trailerFields(answer.trailers)))
  // An answer cut short must not look whole: the visitor's connection is cut as well.
  answer.once("close", () => {
    if (!answer.complete) response.destroy()
  })
  upstream.setTimeout(to.limits.idleDeadlineMs)
}

/** RFC 9112 §4: what a reason phrase may have. The parser lets more through than the server will write. */
const REASON = /^[\t\x20-\x7e\x80-\xff]*$/
