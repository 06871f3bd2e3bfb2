/**
 * Dedicated mail through `waypost relay`: Carol's Postfix writes to Alice's, on an address of the relay that is Alice's
 * alone. TLS is between the two of them, and Alice's server knows who came.
 */
import { X509Certificate } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"
import { eventually } from "../support/eventually.ts"

/** Of the relay, for Alice alone. */
const HERS = "127.0.1.7"
/** Where Carol's server is, as everybody on the way should see her. */
const CAROL = "127.0.0.9"

withJudges(["postfix", "swaks", "openssl", "posttls-finger"], () => {
  describe("Alice's Postfix at home, behind an address of her own", () => {
    const closing = new AsyncDisposableStack()
    let hers: KeyPair
    let alice: Postfix
    let relay: RelayProgram
    let port: number

    beforeAll(async () => {
      hers = await keyPair("mx.alice.example")
      const home = { address: "127.0.0.1", port: await freePort() }
      alice = await startPostfix({ listen: home, domains: ["alice.example"], proxy: true, tls: hers })
      closing.defer(() => alice.stop())
      relay = closing.use(
        await startRelayProgram(`
listeners:
  smtp: { bind: "${HERS}:0", protocol: smtp }
friends:
  alice:
    promise: sealed
    domains: [mx.alice.example]
    addresses: [${HERS}]
    routes:
      smtp: { mode: dedicated, to: "${home.address}:${home.port}", proxy: v2 }
`),
      )
      port = relay.port("smtp", HERS)
    })
    afterAll(() => closing.disposeAsync())

    test("Carol's Postfix, which demands Alice's key, delivers; Alice sees Carol's address", async () => {
      const fingerprint = new X509Certificate(hers.cert).fingerprint256
      await using carol = await carolsPostfix(port, fingerprint)
      carol.submit({ from: "carol@carol.example", to: "alice@alice.example", subject: "noon", text: "Meet me at noon" })
      await eventually("it is sent", async () => (await carol.log()).includes("status=sent"))
      expect(await carol.log()).toContain(`Verified TLS connection established to ${HERS}[${HERS}]:${port}: TLSv1.3`)
      await eventually("Alice has it", async () => (await alice.mailbox()).length > 0)
      const [mail] = await alice.mailbox()
      expect(mail).toContain("Meet me at noon")
      expect(mail?.match(/^Received: from .*$/gm)).toEqual([`Received: from postfix.test (unknown [${CAROL}])`])
      expect(await alice.log()).toContain(`client=unknown[${CAROL}]`)
      expect(await alice.log()).toMatch(/Anonymous TLS connection established from unknown\[127\.0\.0\.9\]: TLSv1\.3/)
      const { remote } = await relay.logged("carried", { route: "alice/smtp" })
      expect(remote).toMatch(CAROL)
    })

    test("Carol's Postfix, which demands another key, keeps the mail", async () => {
      await using carol = await carolsPostfix(port, "00:".repeat(31) + "00")
      carol.submit({ from: "carol@carol.example", to: "alice@alice.example", subject: "no", text: "Not this one" })
      await eventually("it is kept", async () => (await carol.log()).includes("status=deferred"))
      expect(await carol.log()).toContain("Server certificate not verified")
      expect(await alice.mailbox()).not.toContainEqual(expect.stringContaining("Not this one"))
    })

    test("openssl and posttls-finger see her certificate", async () => {
      const target = ["-starttls", "smtp", "-connect", `${HERS}:${port}`]
      const { said } = await runClient("openssl", ["s_client", ...target])
      expect(said).toContain(hers.cert.trim())
      const finger = await runClient("posttls-finger", ["-c", "-l", "may", "-d", "sha256", `[${HERS}]:${port}`])
      expect(finger.said).toContain(new X509Certificate(hers.cert).fingerprint256)
    })

    test("swaks writes without TLS, from another address, and is told apart", async () => {
      const server = ["--server", HERS, "--port", String(port), "--local-interface", "127.0.0.11"]
      const run = await runClient("swaks", [...server, "--from", "x@x.test", "--to", "alice@alice.example"])
      expect(run).toMatchObject({ exitCode: 0, said: expect.stringContaining("220 postfix.test ESMTP Postfix") })
      expect(await alice.log()).toContain("client=unknown[127.0.0.11]")
    })
  })
})

/** It writes to nobody whose key has another fingerprint. */
async function carolsPostfix(port: number, fingerprint: string): Promise<Postfix & AsyncDisposable> {
  const postfix = await startPostfix({
    transport: [`alice.example smtp:[${HERS}]:${port}`],
    more: [
      `smtp_bind_address = ${CAROL}`,
      "smtp_tls_security_level = fingerprint",
      "smtp_tls_fingerprint_digest = sha256",
      `smtp_tls_fingerprint_cert_match = ${fingerprint}`,
      "smtp_tls_loglevel = 1",
    ],
  })
  return { ...postfix, [Symbol.asyncDispose]: () => postfix.stop() }
}
