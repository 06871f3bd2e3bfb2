/**
 * What a box asks of its relay: connections to the outside. The relay alone opens streams, so a box asks in lines of text,
 * and each ask is answered by one stream that names it. docs/tunnel-protocol.md §11. Pure: a peer's bytes and headers
 * never make us throw.
 */
import { NEED_MORE, refused, value, type Parsed } from "../bytes/parsed.ts"
import { faults, type FaultCode } from "../faults/faults.ts"
import { endpoint, endpointText, socketAddress, type Endpoint, type SocketAddress } from "../names/endpoint.ts"
import { text, type Headers } from "./wire.ts"

/** Tells the asks of one tunnel apart. The box counts. */
export type AskId = number

export type Ask = { readonly id: AskId; readonly to: Endpoint }

/** Ours: ten digits, a space, a host name (253 characters), a colon, five digits and the line end, with room. */
const ASK_BYTES_MAX = 300
const ASK = /^(0|[1-9]\d{0,9}) (\S+)$/

export function askLine({ id, to }: Ask): string {
  return `${id} ${endpointText(to)}\n`
}

export type AskRefusal = "not-an-ask"

/** Reads the next line; port 0 is no place. */
export function readAsk(received: Uint8Array): Parsed<Ask, AskRefusal> {
  const endAt = received.indexOf(0x0a)
  if (endAt < 0 && received.length < ASK_BYTES_MAX) return NEED_MORE
  if (endAt < 0 || endAt >= ASK_BYTES_MAX) return refused("not-an-ask")
  const [, id = "", place = ""] = ASK.exec(Buffer.from(received.subarray(0, endAt)).toString("latin1")) ?? []
  const to = endpoint(place)
  return to && to.port > 0 ? value({ id: Number(id), to }, endAt + 1) : refused("not-an-ask")
}

/** `opened`: the stream is the connection from now on. */
export type AskAnswer =
  | { readonly kind: "opened"; readonly id: AskId; readonly remote: SocketAddress; readonly local: SocketAddress }
  | { readonly kind: "refused"; readonly id: AskId; readonly code: FaultCode }

const ID_HEADER = "waypost-ask"
const REFUSAL_HEADER = "waypost-refused"

export function answerHeaders(answer: AskAnswer): Record<string, string> {
  const outcome =
    answer.kind === "refused"
      ? { [REFUSAL_HEADER]: answer.code }
      : { "waypost-remote": endpointText(answer.remote), "waypost-local": endpointText(answer.local) }
  return { ":method": "CONNECT", ":authority": "outside", [ID_HEADER]: String(answer.id), ...outcome }
}

/** Whether a stream answers an ask; no visitor's stream does. */
export function isAnswer(headers: Headers): boolean {
  return headers[ID_HEADER] !== undefined
}

/** `undefined` if it is not what the protocol says. A code of a newer relay's is read as the one that says least. */
export function readAnswer(headers: Headers): AskAnswer | undefined {
  const idText = text(headers[ID_HEADER])
  if (headers[":method"] !== "CONNECT" || !/^\d{1,10}$/.test(idText)) return undefined
  const id = Number(idText)
  const code = text(headers[REFUSAL_HEADER])
  if (code !== "") return { kind: "refused", id, code: isFaultCode(code) ? code : "OUTGOING_AWAY" }
  const remote = socketAddress(text(headers["waypost-remote"]))
  const local = socketAddress(text(headers["waypost-local"]))
  return remote && local && { kind: "opened", id, remote, local }
}

function isFaultCode(code: string): code is FaultCode {
  return Object.hasOwn(faults, code)
}
