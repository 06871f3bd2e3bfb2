/** We must route by the name that the box will see. OpenSSL stands for the box. */
import type { SecureContext } from "node:tls"
import { beforeAll, describe, expect, test } from "@jest/globals"
import fc from "fast-check"
import { readClientHello } from "../../../src/sni/client-hello.ts"
import { keyPair } from "../../support/key-pair.ts"
import { nameByOpenSsl, readyOpenSsl } from "../../support/openssl-name.ts"
import { readVectors, type HelloExpectation } from "../../support/vectors.ts"

const vectors = [
  ...readVectors<HelloExpectation>("client-hello-built"),
  ...readVectors<HelloExpectation>("client-hello-real"),
].filter(({ bytes }) => bytes.length > 0)

let openSsl: SecureContext

beforeAll(async () => {
  openSsl = readyOpenSsl(await keyPair("alice.example"))
})

describe("the name that we read is the one that OpenSSL reads, or OpenSSL refuses:", () => {
  test.each(vectors.map((vector) => [vector.name, vector.bytes] as const))("%s", async (_name, bytes) => {
    await agree(bytes)
  })

  test("real hellos with some bytes changed", async () => {
    const changed = fc.record({
      base: fc.constantFrom(...vectors.map(({ bytes }) => bytes).filter((bytes) => bytes.length < 2100)),
      at: fc.nat(),
      with: fc.uint8Array({ minLength: 1, maxLength: 3 }),
    })
    await fc.assert(
      fc.asyncProperty(changed, async ({ base, at, with: others }) => {
        const bytes = Buffer.from(base)
        bytes.set(others.subarray(0, bytes.length), at % Math.max(1, bytes.length - others.length))
        await agree(bytes)
      }),
      { numRuns: 500 },
    )
  })
})

/** Where we answer with a name or with none, the library must not have another. Where we refuse, nothing is routed. */
async function agree(bytes: Buffer): Promise<void> {
  const ours = readClientHello(bytes)
  if (ours.kind !== "value") return
  const theirs = await nameByOpenSsl(bytes, openSsl)
  if (theirs === undefined || isLiteral(theirs)) return
  expect(theirs.toLowerCase().replace(/\.$/, "")).toBe(ours.value.serverName)
}

/** Ours is no name then (docs/decisions.md); the box, asked for a literal, has none either. */
function isLiteral(name: string): boolean {
  return name.includes(":") || /^[\d.]+$/.test(name)
}
