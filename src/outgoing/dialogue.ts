/**
 * What a local program and the box say to each other until it is known where the connection is to go: SOCKS 5 or HTTP
 * CONNECT, told apart by the first byte. A machine without sockets: bytes in, the next step out.
 */
import { timingSafeEqual, createHash } from "node:crypto"
import type { FaultCode } from "../faults/faults.ts"
import type { Endpoint, SocketAddress } from "../names/endpoint.ts"
import { connectedLine, readConnect, refusalResponse } from "./http-connect.ts"
import {
  connected,
  loginAnswer,
  methodChoice,
  notConnected,
  readLogin,
  readMethods,
  readRequest,
  SOCKS_VERSION,
  type Login,
} from "./socks.ts"

/** What is to come next. */
export type Stage = "first" | "login" | "request"

export type Step =
  | { readonly do: "wait" } // for more bytes
  | { readonly do: "say"; readonly bytes: Uint8Array; readonly consumedBytes: number; readonly next: Stage }
  | { readonly do: "connect"; readonly to: Endpoint; readonly consumedBytes: number; readonly answers: Answers }
  | { readonly do: "refuse"; readonly code: FaultCode; readonly bytes: Uint8Array } // say this and close

/** How the program is told what came of it, in the protocol that it speaks. */
export type Answers = {
  /** `from`: the address that the far end sees. */
  readonly connected: (from: SocketAddress) => Uint8Array
  readonly refused: (code: FaultCode) => Uint8Array
}

const SOCKS: Answers = { connected, refused: notConnected }
const HTTP: Answers = { connected: connectedLine, refused: refusalResponse }
const WAIT: Step = { do: "wait" }

/** `received`: what was said since the last step; `expected`: who alone may use the box's port; `undefined`: everybody. */
export function nextStep(stage: Stage, received: Uint8Array, expected: Login | undefined): Step {
  switch (stage) {
    case "first":
      if (received.length === 0) return WAIT
      return received[0] === SOCKS_VERSION ? socksMethods(received, expected) : httpConnect(received, expected)
    case "login":
      return socksLogin(received, expected)
    case "request":
      return socksRequest(received)
  }
}

function socksMethods(received: Uint8Array, expected: Login | undefined): Step {
  const methods = readMethods(received)
  if (methods.kind === "need-more") return WAIT
  if (methods.kind === "refused") return { do: "refuse", code: methods.why, bytes: NOTHING }
  const method = expected ? "login" : "none"
  if (!methods.value[method]) return { do: "refuse", code: "OUTGOING_LOGIN", bytes: methodChoice("unacceptable") }
  const next = expected ? "login" : "request"
  return { do: "say", bytes: methodChoice(method), consumedBytes: methods.consumedBytes, next }
}

function socksLogin(received: Uint8Array, expected: Login | undefined): Step {
  const login = readLogin(received)
  if (login.kind === "need-more") return WAIT
  if (login.kind === "refused") return { do: "refuse", code: login.why, bytes: NOTHING }
  if (!isExpected(login.value, expected)) return { do: "refuse", code: "OUTGOING_LOGIN", bytes: loginAnswer(false) }
  return { do: "say", bytes: loginAnswer(true), consumedBytes: login.consumedBytes, next: "request" }
}

function socksRequest(received: Uint8Array): Step {
  const request = readRequest(received)
  if (request.kind === "need-more") return WAIT
  if (request.kind === "refused") return { do: "refuse", code: request.why, bytes: notConnected(request.why) }
  return { do: "connect", to: request.value, consumedBytes: request.consumedBytes, answers: SOCKS }
}

function httpConnect(received: Uint8Array, expected: Login | undefined): Step {
  const request = readConnect(received)
  if (request.kind === "need-more") return WAIT
  if (request.kind === "refused") return { do: "refuse", code: request.why, bytes: refusalResponse(request.why) }
  const { to, login } = request.value
  if (!isExpected(login, expected))
    return { do: "refuse", code: "OUTGOING_LOGIN", bytes: refusalResponse("OUTGOING_LOGIN") }
  return { do: "connect", to, consumedBytes: request.consumedBytes, answers: HTTP }
}

const NOTHING = new Uint8Array(0)

/** Takes the same time for every wrong password. */
function isExpected(login: Login | undefined, expected: Login | undefined): boolean {
  if (!expected) return true
  return login !== undefined && timingSafeEqual(digest(login), digest(expected))
}

function digest({ user, password }: Login): Buffer {
  return createHash("sha256")
    .update(JSON.stringify([user, password]))
    .digest()
}
