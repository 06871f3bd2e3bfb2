import { X509Certificate } from "node:crypto"
import { expect, test } from "@jest/globals"
import { unproven } from "../../../../src/smtp/trust/demand.ts"
import { keyPair, spkiSha256 } from "../../../support/key-pair.ts"

const NOW = Date.parse("2026-11-21")

test("a pin is the digest of the public key, whatever the certificate says", async () => {
  const pair = await keyPair("somebody.else.example")
  const shown = { leaf: new X509Certificate(pair.cert).raw, chain: [] }
  const digest = spkiSha256(pair)
  expect(unproven({ kind: "pinned", spkiSha256: ["0".repeat(64), digest] }, shown, NOW)).toBeUndefined()
  expect(unproven({ kind: "pinned", spkiSha256: ["0".repeat(64)] }, shown, NOW)).toBe(
    `its key is sha256:${digest}, which is not pinned`,
  )
})

test("who shows no certificate proves nothing", () => {
  expect(unproven({ kind: "pinned", spkiSha256: ["0".repeat(64)] }, undefined, NOW)).toBe("it showed no certificate")
})
