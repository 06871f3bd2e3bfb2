import { expect, test } from "@jest/globals"
import fc from "fast-check"
import { endpointText } from "../../../src/names/endpoint.ts"
import {
  CONNECT_HEAD_BYTES_MAX,
  connectedLine,
  readConnect,
  refusalResponse,
} from "../../../src/outgoing/http-connect.ts"

const basic = (text: string) => Buffer.from(text).toString("base64")
const CASES: readonly (readonly [what: string, head: string, right: unknown])[] = [
  ["the shortest", "CONNECT mx.carol.example:25 HTTP/1.1\r\n\r\n", "mx.carol.example:25"],
  ["an IPv6 address", "CONNECT [2001:db8::19]:25 HTTP/1.1\r\nHost: [2001:db8::19]:25\r\n\r\n", "[2001:db8::19]:25"],
  [
    "as curl sends it",
    "CONNECT 192.0.2.25:25 HTTP/1.1\r\nHost: 192.0.2.25:25\r\nUser-Agent: curl/8.9\r\nProxy-Connection: Keep-Alive\r\n\r\n",
    "192.0.2.25:25",
  ],
  ["in HTTP/1.0", "CONNECT mx.carol.example:25 HTTP/1.0\r\n\r\n", "mx.carol.example:25"],
  [
    "with a login",
    `CONNECT a.example:25 HTTP/1.1\r\nproxy-authorization:  Basic ${basic("alice:p:w")} \r\n\r\n`,
    { to: "a.example:25", user: "alice", password: "p:w" },
  ],
  [
    "with a login of another scheme",
    "CONNECT a.example:25 HTTP/1.1\r\nProxy-Authorization: Bearer abc\r\n\r\n",
    "a.example:25",
  ],
  ["another method", "GET http://127.0.0.1/ HTTP/1.1\r\n\r\n", "METHOD_REFUSED"],
  [
    "a form that a browser was lured into",
    "POST / HTTP/1.1\r\nHost: 127.0.0.1:1025\r\nContent-Length: 3\r\n\r\n",
    "METHOD_REFUSED",
  ],
  ["no port", "CONNECT mx.carol.example HTTP/1.1\r\n\r\n", "REQUEST_MALFORMED"],
  ["a URL", "CONNECT http://mx.carol.example:25/ HTTP/1.1\r\n\r\n", "REQUEST_MALFORMED"],
  ["a user in the target", "CONNECT alice@mx.carol.example:25 HTTP/1.1\r\n\r\n", "REQUEST_MALFORMED"],
  ["content", "CONNECT a.example:25 HTTP/1.1\r\nContent-Length: 6\r\n\r\n", "REQUEST_MALFORMED"],
  ["chunks", "CONNECT a.example:25 HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", "REQUEST_MALFORMED"],
  ["a folded field", "CONNECT a.example:25 HTTP/1.1\r\nX: a\r\n b\r\n\r\n", "REQUEST_MALFORMED"],
  ["a bare LF in a field", "CONNECT a.example:25 HTTP/1.1\r\nX: a\nY: b\r\n\r\n", "REQUEST_MALFORMED"],
  ["a space before the colon", "CONNECT a.example:25 HTTP/1.1\r\nX : a\r\n\r\n", "REQUEST_MALFORMED"],
  ["HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\n", "REQUEST_MALFORMED"],
  ["SMTP", "EHLO alice.example\r\nMAIL FROM:<>\r\n\r\n", "REQUEST_MALFORMED"],
]

test.each(CASES)("%s: whole, byte by byte, and with bytes behind", (_what, head, right) => {
  const whole = Buffer.from(head, "latin1")
  expect(told(whole)).toEqual(right)
  for (let length = 0; length < whole.length; length++) expect(told(whole.subarray(0, length))).toBe("need-more")
  expect(told(Buffer.concat([whole, Buffer.from("EHLO x\r\n")]))).toEqual(right)
})

test("what stands behind the head is not consumed", () => {
  const read = readConnect(Buffer.from("CONNECT a.example:25 HTTP/1.1\r\n\r\nEHLO x\r\n"))
  expect(read).toMatchObject({ consumedBytes: "CONNECT a.example:25 HTTP/1.1\r\n\r\n".length })
})

test("a head that does not end in time is refused, and one of the largest size is read", () => {
  const [start, end] = ["CONNECT a.example:25 HTTP/1.1\r\nX: ", "\r\n\r\n"]
  const filled = (bytes: number) => Buffer.from(start + "x".repeat(bytes - start.length - end.length) + end)
  expect(told(filled(CONNECT_HEAD_BYTES_MAX))).toBe("a.example:25")
  expect(told(filled(CONNECT_HEAD_BYTES_MAX + 1))).toBe("HEADERS_TOO_LARGE")
})

test("no bytes make the reader throw", () => {
  const parts = [
    "CONNECT ",
    "a.example:25",
    " HTTP/1.1",
    "\r\n",
    "\r\n\r\n",
    ":",
    "\n",
    "Proxy-Authorization: Basic ",
    "=",
    "é",
  ]
  const heads = fc
    .array(fc.constantFrom(...parts), { maxLength: 20 })
    .map((some) => Buffer.from(some.join(""), "latin1"))
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), heads), (received) => {
      const read = readConnect(received)
      if (read.kind === "value") expect(read.consumedBytes).toBeLessThanOrEqual(received.length)
    }),
    { numRuns: 2000 },
  )
})

test("an opened connection's answer has no length, because what follows is the far end's", () => {
  expect(Buffer.from(connectedLine()).toString()).toBe("HTTP/1.1 200 Connected\r\n\r\n")
})

test("a refusal says its code, and what is wanted", () => {
  const [head = "", content = ""] = Buffer.from(refusalResponse("OUTGOING_LOGIN")).toString().split("\r\n\r\n")
  expect(content).toBe("OUTGOING_LOGIN: This port wants another user and password, or any\n")
  expect(head.split("\r\n")).toEqual([
    "HTTP/1.1 407 OUTGOING_LOGIN",
    'Proxy-Authenticate: Basic realm="waypost"',
    "Content-Type: text/plain; charset=utf-8",
    `Content-Length: ${content.length}`,
    "Connection: close",
  ])
  expect(Buffer.from(refusalResponse("METHOD_REFUSED")).toString()).toContain(
    "405 METHOD_REFUSED\r\nAllow: CONNECT\r\n",
  )
})

function told(received: Uint8Array) {
  const read = readConnect(received)
  if (read.kind !== "value") return read.kind === "refused" ? read.why : read.kind
  const { to, login } = read.value
  return login ? { to: endpointText(to), ...login } : endpointText(to)
}
