/**
 * Who came? HAProxy stands in front of `waypost relay`, nginx and Postfix behind it, and each tells the next with a PROXY
 * header. The visitor's address arrives through the whole chain; nobody who is not trusted is believed.
 */
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { startHaproxy } from "../support/haproxy.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"

/** Where the visitor is, who came to HAProxy. */
const VISITOR = "127.0.0.9"
/** From where HAProxy comes to the relay: as the relay trusts it, and not. */
const TRUSTED = "127.0.0.7"
const UNTRUSTED = "127.0.0.66"

withJudges(["haproxy", "nginx", "curl"], () => {
  test.each(["send-proxy", "send-proxy-v2"])(
    "nginx sees who came to HAProxy with %s, dedicated by SNI",
    async (how) => {
      await using alice = await alicesNginx()
      await using relay = await startRelayProgram(webOf(alice.port))
      await using front = await startHaproxy(`127.0.0.1:${relay.port("https")}`, `${how} source ${TRUSTED}`)
      expect(await visit(front.port)).toMatchObject({ exitCode: 0, said: "alice" })
      expect(await alice.requests()).toEqual([`127.0.0.1 ${VISITOR} /who.txt`])
      expect(await relay.logged("carried")).toMatchObject({ remote: expect.stringContaining(`${VISITOR}:`) })
    },
  )

  test("a header from somebody else is not read: it is no TLS", async () => {
    await using alice = await alicesNginx()
    await using relay = await startRelayProgram(webOf(alice.port))
    await using front = await startHaproxy(`127.0.0.1:${relay.port("https")}`, `send-proxy-v2 source ${UNTRUSTED}`)
    expect((await visit(front.port)).exitCode).not.toBe(0)
    const refusal = await relay.logged("refused")
    expect(refusal).toMatchObject({ code: "NOT_TLS", remote: expect.stringContaining(`${UNTRUSTED}:`) })
    expect(await alice.requests()).toEqual([])
  })

  test("from the trusted one the header is required", async () => {
    await using alice = await alicesNginx()
    await using relay = await startRelayProgram(webOf(alice.port))
    await using front = await startHaproxy(`127.0.0.1:${relay.port("https")}`, `source ${TRUSTED}`)
    expect((await visit(front.port)).exitCode).not.toBe(0)
    expect(await relay.logged("refused")).toMatchObject({ remote: expect.stringContaining(`${TRUSTED}:`) })
    expect(await alice.requests()).toEqual([])
  })
})

withJudges(["haproxy", "postfix", "swaks"], () => {
  test.each(["dedicated", "peer"] as const)("Postfix knows who came to HAProxy, in %s mode", async (mode) => {
    const port = await freePort()
    await using alice = await alicesPostfix(port, mode)
    await using relay = await startRelayProgram(mailOf(port, mode))
    await using front = await startHaproxy(`127.0.0.1:${relay.port("smtp")}`, `send-proxy-v2 source ${TRUSTED}`)
    expect(await write(front.port)).toMatchObject({ exitCode: 0 })
    await eventually("Alice has it", async () => (await alice.mailbox()).length > 0)
    expect((await alice.mailbox())[0]).toMatch(
      new RegExp(`^Received: from mail\\.carol\\.example .*\\[${VISITOR}\\]`, "m"),
    )
    if (mode === "dedicated") expect(await alice.log()).toContain(`client=unknown[${VISITOR}]`)
  })

  test("a header from somebody else is not believed: it goes to Alice's Postfix as what it says, and from him", async () => {
    const port = await freePort()
    await using alice = await alicesPostfix(port, "dedicated")
    await using relay = await startRelayProgram(mailOf(port, "dedicated"))
    await using front = await startHaproxy(`127.0.0.1:${relay.port("smtp")}`, `send-proxy source ${UNTRUSTED}`)
    await write(front.port)
    const log = await eventually("he is known", async () => {
      const text = await alice.log()
      return text.includes(`disconnect from unknown[${UNTRUSTED}]`) && text
    })
    expect(log).not.toMatch(new RegExp(`(connect from|client=)[^ ]*\\[${VISITOR}\\]`))
  })
})

async function alicesNginx() {
  const tls = await keyPair("alice.example")
  return startNginx({ listen: "ssl proxy_protocol", tls, files: { "who.txt": "alice" } })
}

function webOf(port: number): string {
  return `
listeners:
  https: { bind: "127.0.0.1:0", protocol: tls, accept-proxy: [${TRUSTED}] }
friends:
  alice:
    domains: [alice.example]
    routes:
      https: { mode: dedicated, to: "127.0.0.1:${port}", proxy: v2 }
`
}

async function visit(port: number) {
  const where = ["--resolve", `alice.example:${port}:127.0.0.1`, `https://alice.example:${port}/who.txt`]
  return runClient("curl", ["-sSk", "--interface", VISITOR, ...where])
}

async function alicesPostfix(port: number, mode: "dedicated" | "peer"): Promise<Postfix & AsyncDisposable> {
  const listen = { address: "127.0.0.1", port }
  const alice = await startPostfix({ listen, domains: ["alice.example"], proxy: mode === "dedicated" })
  return { ...alice, [Symbol.asyncDispose]: () => alice.stop() }
}

function mailOf(port: number, mode: "dedicated" | "peer"): string {
  const [whose, proxy] = mode === "dedicated" ? [", friend: alice", ", proxy: v2"] : ["", ""]
  return `
listeners:
  smtp: { bind: "127.0.0.1:0", protocol: smtp, accept-proxy: [${TRUSTED}]${whose} }
friends:
  alice:
    domains: [alice.example]
    routes:
      smtp: { mode: ${mode}, to: "127.0.0.1:${port}"${proxy} }
`
}

async function write(port: number) {
  const server = ["--server", "127.0.0.1", "--port", String(port), "--local-interface", VISITOR]
  const mail = ["--ehlo", "mail.carol.example", "--from", "carol@carol.example", "--to", "alice@alice.example"]
  return runClient("swaks", [...server, ...mail])
}
