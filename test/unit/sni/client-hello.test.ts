import { describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readClientHello } from "../../../src/sni/client-hello.ts"
import { HELLO_WIRE_BYTES_MAX } from "../../../src/sni/records.ts"
import { clientHello, cutAt, extension, record, serverName } from "../../support/hello.ts"
import { readVectors, type HelloExpectation, type Vector } from "../../support/vectors.ts"
import { helloVectors } from "../../vectors/make-client-hello.ts"

const built = readVectors<HelloExpectation>("client-hello-built")
const real = readVectors<HelloExpectation>("client-hello-real")

test("the built vectors on disk are what their maker makes", () => {
  expect(built).toEqual(helloVectors)
})

describe.each([
  ["built", built],
  ["real", real],
])("a %s ClientHello", (_kind, vectors) => {
  test.each(named(vectors))("%s: whole", (_name, vector) => {
    expect(readClientHello(vector.bytes)).toEqual(right(vector))
  })

  test.each(named(vectors.filter(isAnswered)))("%s: with more bytes behind it", (_name, vector) => {
    const more = Buffer.concat([vector.bytes, record(Buffer.alloc(100, 9), { type: 23 })])
    expect(readClientHello(more)).toEqual(right(vector))
  })

  test.each(named(vectors))("%s: byte by byte, and so split at every offset", (_name, vector) => {
    const outcome = right(vector)
    for (let length = 0; length < vector.bytes.length; length++) {
      const early = readClientHello(vector.bytes.subarray(0, length))
      // A refusal may come as soon as it is certain, and then it is the same; a value only when it is complete.
      if (outcome.kind !== "refused" && length < wireBytes(vector)) expect(early.kind).toBe("need-more")
      else if (early.kind !== "need-more") expect(early).toEqual(outcome)
    }
  })

  test.each(named(vectors.filter(isValue)))("%s: laid out in other records", (_name, vector) => {
    const message = joined(vector.bytes.subarray(0, wireBytes(vector)))
    for (const offset of [1, 3, 4, 5, message.length >> 1, message.length - 1]) {
      expect(readClientHello(cutAt(message, offset))).toMatchObject({ value: wanted(vector) })
    }
  })
})

test("nothing that a peer can send makes it throw", () => {
  const anything = fc.uint8Array({ maxLength: 400 })
  const nearlyHellos = fc
    .record({
      base: fc.constantFrom(...built, ...real),
      at: fc.nat(),
      with: fc.uint8Array({ maxLength: 8 }),
      cut: fc.nat(),
    })
    .map((draft) => {
      const bytes = Buffer.from(draft.base.bytes.subarray(0, 4096))
      bytes.set(draft.with.subarray(0, bytes.length), draft.at % Math.max(1, bytes.length - draft.with.length))
      return bytes.subarray(0, draft.cut % 2 ? undefined : draft.cut % (bytes.length + 1))
    })
  const bodies = fc
    .uint8Array({ maxLength: 300 })
    .map((body) => record(Buffer.concat([Buffer.of(1, 0, body.length >> 8, body.length & 255), body])))
  fc.assert(
    fc.property(fc.oneof(anything, nearlyHellos, bodies), (received) => {
      const outcome = readClientHello(received)
      if (outcome.kind === "value") expect(outcome.consumedBytes).toBeLessThanOrEqual(received.length)
    }),
    { numRuns: 5000 },
  )
})

test("once refused, it stays refused for the same reason, whatever follows", () => {
  const starts = fc.constantFrom(...built.filter(({ expect }) => typeof expect === "object" && "refused" in expect))
  fc.assert(
    fc.property(starts, fc.uint8Array({ maxLength: 64 }), ({ bytes }, more) => {
      expect(readClientHello(Buffer.concat([bytes, more]))).toEqual(readClientHello(bytes))
    }),
  )
})

test("a hello that says it is larger than we read is refused before it has arrived", () => {
  const header = record(clientHello()).subarray(0, 9)
  header.writeUIntBE(HELLO_WIRE_BYTES_MAX - 8, 6, 3)
  expect(readClientHello(header)).toMatchObject({ why: { code: "HELLO_TOO_LARGE" } })
  header.writeUIntBE(HELLO_WIRE_BYTES_MAX - 9, 6, 3)
  expect(readClientHello(header)).toEqual({ kind: "need-more" })
})

test("a hello that trickles in as small records is refused where it passes what we read", () => {
  const message = Buffer.concat([Buffer.of(1, 0, 0x40, 0), Buffer.alloc(0x4000)])
  const wire = Buffer.concat(Array.from(message, (byte) => record(Buffer.of(byte))))
  expect(readClientHello(wire.subarray(0, HELLO_WIRE_BYTES_MAX - 10))).toEqual({ kind: "need-more" })
  expect(readClientHello(wire.subarray(0, HELLO_WIRE_BYTES_MAX + 6))).toMatchObject({
    why: { code: "HELLO_TOO_LARGE" },
  })
})

test("the bytes that are read stay as they were", () => {
  for (const { bytes } of [...built, ...real]) {
    const before = Buffer.from(bytes)
    readClientHello(bytes)
    expect(bytes.equals(before)).toBe(true)
  }
})

function right(vector: Vector<HelloExpectation>) {
  if (vector.expect === "need-more") return { kind: "need-more" }
  if ("refused" in vector.expect) {
    return { kind: "refused", why: { code: vector.expect.refused, detail: expect.any(String) } }
  }
  return { kind: "value", value: wanted(vector), consumedBytes: wireBytes(vector) }
}

function wanted({ expect }: Vector<HelloExpectation>) {
  if (expect === "need-more" || "refused" in expect) return undefined
  return { serverName: expect.name ?? undefined, alpn: expect.alpn ?? [] }
}

function wireBytes(vector: Vector<HelloExpectation>): number {
  return vector.bytes.length - vector.afterBytes
}

function isAnswered(vector: Vector<HelloExpectation>): boolean {
  return vector.expect !== "need-more" && vector.afterBytes === 0
}

function isValue(vector: Vector<HelloExpectation>): boolean {
  return wanted(vector) !== undefined && vector.bytes.length < 16_000
}

/** The handshake message inside records that are known to be whole. */
function joined(wire: Buffer): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < wire.length;) {
    const endAt = at + 5 + wire.readUInt16BE(at + 3)
    pieces.push(wire.subarray(at + 5, endAt))
    at = endAt
  }
  return Buffer.concat(pieces)
}

function named(vectors: readonly Vector<HelloExpectation>[]): [string, Vector<HelloExpectation>][] {
  return vectors.map((vector) => [vector.name, vector])
}

describe("an extension that comes twice", () => {
  const hello = (types: readonly number[]) =>
    readClientHello(
      record(clientHello({ extensions: [serverName("alice.example"), ...types.map((type) => extension(type))] })),
    )

  test.each([1, 5, 31, 32, 33, 43, 63, 64, 0x0a0a, 0xff01, 0xffff])("is refused: %d", (type) => {
    expect(hello([type, 51, type])).toMatchObject({ kind: "refused", why: { code: "HELLO_AMBIGUOUS" } })
  })

  test("is not taken for another", () => {
    const once = [1, 5, 31, 32, 33, 37, 63, 64, 65, 96, 0x0a0a, 0xff01, 0xffff]
    expect(hello(once)).toMatchObject({ kind: "value" })
  })
})
