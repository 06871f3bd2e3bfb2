import { createHash, X509Certificate } from "node:crypto"
import { chmod, readFile, readdir, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { connect, createServer } from "node:tls"
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { expect, test } from "@jest/globals"
import { ownCertificate } from "../../../src/cert/own-certificate.ts"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import { handClock } from "../../support/hand-clock.ts"
import { scratchFolder } from "../../support/program.ts"

const YEAR_MS = 365 * 24 * 3_600_000
const bob = name("relay.bob.example")

test("the certificate is made once and read afterwards", async () => {
  await using state = await scratchFolder()
  const first = await ownCertificate(state.path, bob)
  expect(await ownCertificate(state.path, bob)).toEqual(first)
})

test("the key file is for its owner alone and nothing is left beside the two files", async () => {
  await using state = await scratchFolder()
  await ownCertificate(state.path, bob)
  expect((await stat(join(state.path, "own-key.pem"))).mode & 0o777).toBe(0o600)
  expect((await readdir(state.path)).toSorted()).toEqual(["own-certificate.pem", "own-key.pem"])
})

test("it is a P-256 server certificate for exactly the relay's name", async () => {
  await using state = await scratchFolder()
  const { cert, spkiSha256 } = await ownCertificate(state.path, bob)
  const parsed = new X509Certificate(cert)
  expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1")
  expect(parsed.subjectAltName).toBe("DNS:relay.bob.example")
  expect(parsed.ca).toBe(false)
  expect(parsed.verify(parsed.publicKey)).toBe(true)
  const spki = parsed.publicKey.export({ type: "spki", format: "der" })
  expect(spkiSha256).toBe(createHash("sha256").update(spki).digest("hex"))
})

test("a new name gets a new certificate for the same key", async () => {
  await using state = await scratchFolder()
  const before = await ownCertificate(state.path, bob)
  const after = await ownCertificate(state.path, name("mx.bob.example"))
  expect(new X509Certificate(after.cert).subjectAltName).toBe("DNS:mx.bob.example")
  expect(after.spkiSha256).toBe(before.spkiSha256)
  expect(after.key).toBe(before.key)
})

test("a certificate that nears its end is renewed for the same key, well before it ends", async () => {
  await using state = await scratchFolder()
  const clock = handClock()
  const first = await ownCertificate(state.path, bob, clock)
  await clock.turn(6 * YEAR_MS)
  expect((await ownCertificate(state.path, bob, clock)).cert).toBe(first.cert)
  await clock.turn(2 * YEAR_MS)
  const renewed = await ownCertificate(state.path, bob, clock)
  expect(renewed.cert).not.toBe(first.cert)
  expect(renewed.spkiSha256).toBe(first.spkiSha256)
})

test("a certificate file that is cut short is made anew", async () => {
  await using state = await scratchFolder()
  const first = await ownCertificate(state.path, bob)
  await writeFile(join(state.path, "own-certificate.pem"), first.cert.slice(0, 100))
  const again = await ownCertificate(state.path, bob)
  expect(again.spkiSha256).toBe(first.spkiSha256)
  expect(await readFile(join(state.path, "own-certificate.pem"), "utf8")).toBe(again.cert)
})

test("a key file that holds no key is never overwritten", async () => {
  await using state = await scratchFolder()
  const file = join(state.path, "own-key.pem")
  await writeFile(file, "not a key")
  await chmod(file, 0o600)
  await expect(ownCertificate(state.path, bob)).rejects.toMatchObject({ fault: { code: "STATE_DAMAGED" } })
  expect(await readFile(file, "utf8")).toBe("not a key")
})

test("two starts at the same time agree on one key", async () => {
  await using state = await scratchFolder()
  const both = await Promise.all([ownCertificate(state.path, bob), ownCertificate(state.path, bob)])
  expect(both[0].key).toBe(both[1].key)
})

test("a name too long for a common name still stands in the certificate", async () => {
  await using state = await scratchFolder()
  const long = name(`${"a".repeat(60)}.${"b".repeat(60)}.example`)
  const { cert } = await ownCertificate(state.path, long)
  expect(new X509Certificate(cert).checkHost(long)).toBe(long)
})

test("TLS 1.3 accepts the pair, and a client that trusts it sees the name", async () => {
  await using state = await scratchFolder()
  const { key, cert } = await ownCertificate(state.path, bob)
  const server = createServer({ key, cert }, (socket) => socket.end()).listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  const socket = connect({ port, host: "127.0.0.1", ca: cert, servername: bob })
  await once(socket, "secureConnect")
  expect(socket.authorized).toBe(true)
  socket.destroy()
  server.close()
})

function name(text: string): Hostname {
  const parsed = hostname(text)
  if (!parsed) throw new Error(`not a host name: ${text}`)
  return parsed
}
