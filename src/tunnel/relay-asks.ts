/** The relay's side of what a box asks for: hears the asks on a request that it leaves open, and answers each with a stream. */
import { constants, type ClientHttp2Session } from "node:http2"
import type { Duplex } from "node:stream"
import { answerHeaders, readAsk, type Ask, type AskAnswer } from "./ask.ts"
import { ASKS_PATH, STATUS } from "./wire.ts"

/** Ours: asks of one box that are being answered at once; the next ones wait in the box, held by the stream's window. */
const ASKS_OPEN_MAX = 128

/**
 * Begins to hear. `take` is called for each ask, and answers when it resolves; it must not reject. The returned function
 * ends that, so that nothing keeps a tunnel that is being left. A box that never asks answers 404, and nothing is heard.
 */
export function hearAsks(session: ClientHttp2Session, take: (ask: Ask) => Promise<void>): () => void {
  if (session.closed || session.destroyed) return () => {}
  const request = { ":method": "POST", ":path": ASKS_PATH, ":scheme": "https", ":authority": "box" }
  const asks = session.request(request, { endStream: true })
  let received = Buffer.alloc(0)
  let open = 0
  const answered = () => {
    open -= 1
    if (open < ASKS_OPEN_MAX) readOn()
  }
  const readOn = () => {
    while (open < ASKS_OPEN_MAX) {
      const ask = readAsk(received)
      if (ask.kind === "need-more") return void asks.resume()
      if (ask.kind === "refused") return asks.close(constants.NGHTTP2_PROTOCOL_ERROR)
      received = received.subarray(ask.consumedBytes)
      open += 1
      void take(ask.value).finally(answered)
    }
    asks.pause()
  }
  asks.on("error", () => {}) // the tunnel breaks, and with it this ends
  asks.once("response", (headers) => {
    if (headers[":status"] !== STATUS.open) return asks.close()
    asks.on("data", (piece: Buffer) => {
      received = Buffer.concat([received, piece])
      readOn()
    })
  })
  return () => asks.close()
}

/** Answers one ask; an opened one's stream is the connection. `undefined`: the tunnel takes no streams any more. */
export function answerAsk(session: ClientHttp2Session, answer: AskAnswer): Duplex | undefined {
  if (session.closed || session.destroyed) return undefined
  const stream = session.request(answerHeaders(answer), { endStream: answer.kind === "refused" })
  stream.once("response", (headers) => {
    if (headers[":status"] !== STATUS.open) stream.destroy() // whoever asked has gone
  })
  if (answer.kind === "refused") stream.on("error", () => {}).resume()
  return stream
}
