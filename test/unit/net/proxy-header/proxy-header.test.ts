import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { endpointText } from "../../../../src/names/endpoint.ts"
import type { ProxyHeader } from "../../../../src/net/proxy-header/header.ts"
import { readProxyHeader } from "../../../../src/net/proxy-header/proxy-header.ts"
import { readVectors, type ProxyExpectation, type Vector } from "../../../support/vectors.ts"
import { proxyVectors } from "../../../vectors/make-proxy-header.ts"

const vectors = readVectors<ProxyExpectation>("proxy-header-built")
const named = vectors.map((vector): [string, Vector<ProxyExpectation>] => [vector.name, vector])

test("the vectors on disk are what their maker makes", () => {
  expect(vectors).toEqual(proxyVectors)
})

describe("a PROXY header", () => {
  test.each(named)("%s: whole", (_name, vector) => {
    expect(told(vector.bytes)).toEqual(right(vector))
  })

  test.each(named)("%s: byte by byte, and so split at every offset", (_name, vector) => {
    const outcome = right(vector)
    for (let length = 0; length < vector.bytes.length; length++) {
      const early = told(vector.bytes.subarray(0, length))
      if (outcome.kind !== "refused" && length < headerBytes(vector)) expect(early.kind).toBe("need-more")
      else if (early.kind !== "need-more") expect(early).toEqual(outcome)
    }
  })

  test.each(named.filter(([, { expect }]) => expect !== "need-more"))(
    "%s: with more bytes behind it",
    (_name, vector) => {
      expect(told(Buffer.concat([vector.bytes, Buffer.from("\x16\x03\x01\r\nQUIT\r\n")]))).toEqual(right(vector))
    },
  )
})

test.each([
  ["another protocol", "GET / HTTP/1.1", 1],
  ["another protocol that begins alike", "PROPFIND", 4],
  ["another protocol that begins with a line end", "\r\n\r\nGET", 5],
  ["a wrong family", "PROXY TCP5", 10],
  ["a letter in an IPv4 address", "PROXY TCP4 a", 12],
  ["a bare LF", "PROXY UNKNOWN\n", 14],
  ["version 1 in the binary header", "\r\n\r\n\0\r\nQUIT\n\x11", 13],
  ["an unknown family in the binary header", "\r\n\r\n\0\r\nQUIT\n\x21\x51", 14],
])("%s is refused at the first wrong byte", (_what, text, lengthBytes) => {
  const bytes = Buffer.from(text, "latin1")
  expect(readProxyHeader(bytes.subarray(0, lengthBytes - 1)).kind).toBe("need-more")
  expect(readProxyHeader(bytes.subarray(0, lengthBytes)).kind).toBe("refused")
})

test("a header gives its TLVs back as they are", () => {
  const vector = vectors.find(({ name }) => name === "v2 with ALPN and authority")
  const outcome = readProxyHeader(vector?.bytes ?? Buffer.alloc(0))
  const tlvs = outcome.kind === "value" && outcome.value.kind === "proxied" ? outcome.value.tlvs : []
  expect(tlvs.map(({ value }) => Buffer.from(value).toString())).toEqual(["h2", "alice.example"])
})

test("nothing that a peer can send makes it throw", () => {
  const lines = fc
    .array(
      fc.constantFrom("PROXY", "TCP4", "TCP6", "UNKNOWN", " ", "\r", "\n", "::", "1.2.3.4", "0", "65535", "\0", "é"),
      { maxLength: 24 },
    )
    .map((parts) => Buffer.from(`PROXY ${parts.join("")}`, "latin1"))
  const mutated = fc
    .record({ base: fc.constantFrom(...vectors), at: fc.nat(), with: fc.integer({ min: 0, max: 255 }) })
    .map(({ base, at, with: other }) =>
      base.bytes.map((byte, index) => (index === at % base.bytes.length ? other : byte)),
    )
  fc.assert(
    fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), lines, mutated), (received) => {
      const outcome = readProxyHeader(received)
      if (outcome.kind === "value") expect(outcome.consumedBytes).toBeLessThanOrEqual(received.length)
    }),
    { numRuns: 5000 },
  )
})

/** What the reader says, with ends as text. */
function told(received: Uint8Array) {
  const outcome = readProxyHeader(received)
  if (outcome.kind === "refused") return { kind: "refused", code: outcome.why.code }
  if (outcome.kind === "need-more") return outcome
  return { kind: "value", said: inWords(outcome.value), consumedBytes: outcome.consumedBytes }
}

function inWords(header: ProxyHeader) {
  if (header.kind !== "proxied") return header.kind
  const types = header.tlvs.map(({ type }) => type)
  return { remote: endpointText(header.remote), local: endpointText(header.local), tlvs: types }
}

function right(vector: Vector<ProxyExpectation>) {
  const wanted = vector.expect
  if (wanted === "need-more") return { kind: "need-more" }
  if (typeof wanted === "object" && "refused" in wanted) return { kind: "refused", code: wanted.refused }
  const said = typeof wanted === "string" ? wanted : { ...wanted, tlvs: wanted.tlvs ?? [] }
  return { kind: "value", said, consumedBytes: headerBytes(vector) }
}

function headerBytes(vector: Vector<ProxyExpectation>): number {
  return vector.bytes.length - vector.afterBytes
}
