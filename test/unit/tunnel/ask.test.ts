import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { endpoint, socketAddress, type Endpoint, type SocketAddress } from "../../../src/names/endpoint.ts"
import { answerHeaders, askLine, isAnswer, readAnswer, readAsk, type AskAnswer } from "../../../src/tunnel/ask.ts"
import { readStreamRequest } from "../../../src/tunnel/wire.ts"

const to = (text: string) => endpoint(text) as Endpoint
const at = (text: string) => socketAddress(text) as SocketAddress
const longName = `${"a".repeat(63)}.`.repeat(3) + "b".repeat(61)

describe("an ask", () => {
  test.each(["mx.carol.example:25", "192.0.2.25:25", "[2001:db8::19]:25", `${longName}:65535`])(
    "to %s is read back, byte by byte and with the next one behind it",
    (place) => {
      const ask = { id: 4_294_967_295, to: to(place) }
      const line = Buffer.from(askLine(ask))
      for (let length = 0; length < line.length; length++)
        expect(readAsk(line.subarray(0, length))).toEqual({ kind: "need-more" })
      const right = { kind: "value", value: ask, consumedBytes: line.length }
      expect(readAsk(line)).toEqual(right)
      expect(readAsk(Buffer.concat([line, Buffer.from("2 a.ex")]))).toEqual(right)
    },
  )

  test.each([
    "\n",
    "1\n",
    "1 \n",
    "x a.example:25\n",
    "-1 a.example:25\n",
    "01 a.example:25\n",
    "1 a.example\n",
    "1 a.example:0\n",
    "1 a.example:25 \n",
    "1 a.example:25\r\n",
    "1 a.example:25;rm\n",
    "12345678901 a.example:25\n",
    "1".repeat(300),
  ])("%j is none", (line) => {
    expect(readAsk(Buffer.from(line))).toEqual({ kind: "refused", why: "not-an-ask" })
  })

  test("no bytes make the reader throw", () => {
    fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), (received) => void readAsk(received)))
    fc.assert(fc.property(fc.string(), (text) => void readAsk(Buffer.from(`${text}\n`))))
  })
})

describe("an answer", () => {
  const opened: AskAnswer = { kind: "opened", id: 7, remote: at("192.0.2.25:25"), local: at("203.0.113.7:40000") }

  test("survives the way through its headers", () => {
    expect(readAnswer(answerHeaders(opened))).toEqual(opened)
    const no: AskAnswer = { kind: "refused", id: 7, code: "OUTGOING_PLACE" }
    expect(readAnswer(answerHeaders(no))).toEqual(no)
  })

  test("with a code that we do not know says only that this relay does not", () => {
    const newer = {
      ...answerHeaders({ kind: "refused", id: 7, code: "OUTGOING_OFF" }),
      "waypost-refused": "OUTGOING_MOON",
    }
    expect(readAnswer(newer)).toEqual({ kind: "refused", id: 7, code: "OUTGOING_AWAY" })
  })

  test("is no visitor, and no visitor is an answer", () => {
    expect(isAnswer(answerHeaders(opened))).toBe(true)
    expect(isAnswer({ ":method": "CONNECT", ":authority": "outside" })).toBe(false)
    expect(readStreamRequest({ ...answerHeaders(opened), "waypost-local": "" })).toBeUndefined()
  })

  test.each([
    { "waypost-ask": "" },
    { "waypost-ask": "1e3" },
    { "waypost-local": "router.lan:25" },
    { ":method": "GET" },
  ])("is not %j", (change) => {
    expect(readAnswer({ ...answerHeaders(opened), ...change })).toBeUndefined()
  })

  test("no header list makes the reader throw", () => {
    const name = fc.oneof(fc.constantFrom(...Object.keys(answerHeaders(opened)), "waypost-refused"), fc.string())
    fc.assert(fc.property(fc.dictionary(name, fc.string()), (headers) => void readAnswer(headers)))
  })
})
