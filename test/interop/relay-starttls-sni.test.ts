/**
 * Many friends' mail servers on one port 25 of `waypost relay`, told apart by the name behind STARTTLS (SNI). Each TLS
 * session is between the sender and the friend's own Postfix, which knows who came.
 */
import { X509Certificate } from "node:crypto"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { createTransport } from "nodemailer"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { freePort } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

/** Where Carol's server is, as both friends should see her. */
const CAROL = "127.0.0.9"

type Friend = { readonly key: KeyPair; readonly port: number; readonly server: Postfix; readonly at: string }

withJudges(["postfix", "posttls-finger", "openssl", "swaks"], () => {
  describe("Alice's and Dave's Postfix on one port", () => {
    const closing = new AsyncDisposableStack()
    let friends: Readonly<Record<"alice" | "dave", Friend>>
    let relay: RelayProgram
    let port: number

    beforeAll(async () => {
      // The address is for the sender alone: a next hop of its own for each friend, to have a policy for each.
      friends = { alice: await friendAt("127.0.0.1", "alice"), dave: await friendAt("127.0.0.2", "dave") }
      for (const { server } of Object.values(friends)) closing.defer(() => server.stop())
      const routes = Object.entries(friends).map(
        ([name, friend]) => `
  ${name}:
    promise: sealed
    domains: [mx.${name}.example]
    routes:
      smtp: { mode: dedicated, to: "127.0.0.1:${friend.port}", proxy: v2 }`,
      )
      const away = `
  erin:
    domains: [mx.erin.example]
    routes:
      smtp: { mode: dedicated, to: "127.0.0.1:${await freePort()}" }`
      relay = closing.use(
        await startRelayProgram(`
listeners:
  smtp: { bind: "0.0.0.0:0", protocol: smtp }
friends:${routes.join("")}${away}
`),
      )
      port = relay.port("smtp", "0.0.0.0")
    })
    afterAll(() => closing.disposeAsync())

    test.each(["alice", "dave"] as const)("openssl and posttls-finger see the key of %s", async (name) => {
      const { cert } = friends[name].key
      const sni = `mx.${name}.example`
      const target = ["-starttls", "smtp", "-servername", sni, "-connect", `127.0.0.1:${port}`]
      expect((await runClient("openssl", ["s_client", ...target])).said).toContain(cert.trim())
      const finger = ["-c", "-l", "may", "-d", "sha256", "-s", sni, `[127.0.0.1]:${port}`]
      expect((await runClient("posttls-finger", finger)).said).toContain(new X509Certificate(cert).fingerprint256)
    })

    test("Carol's Postfix, which demands each friend's key, delivers to both, and both see her address", async () => {
      await using carol = await carolsPostfix(friends, port, "fingerprint")
      for (const name of ["alice", "dave"] as const) carol.submit(mailTo(name, "Meet me at noon"))
      for (const [name, { server, at }] of Object.entries(friends)) {
        const mail = await eventually(`${name} has it`, () => kept(server, "Meet me at noon"))
        expect(mail).toMatch(new RegExp(`^Received: from postfix\\.test \\(unknown \\[${CAROL}\\]\\)`, "m"))
        expect(await server.log()).toContain(`client=unknown[${CAROL}]`)
        expect(await carol.log()).toContain(`Verified TLS connection established to ${at}[${at}]:${port}: TLSv1.3`)
      }
      expect(await kept(friends.alice.server, "To: dave@")).toBeUndefined()
    })

    test("nodemailer and swaks write to Dave, by his name", async () => {
      const tls = { servername: "mx.dave.example", ca: friends.dave.key.cert }
      const transport = createTransport({ host: "127.0.0.1", port, requireTLS: true, tls })
      const sent = await transport.sendMail({ ...mailTo("dave", "from nodemailer"), subject: "hello" })
      expect(sent.response).toMatch(/^250 2\.0\.0 Ok: queued/)
      const run = await swaks(port, "dave@dave.example", "--tls", "--tls-sni", "mx.dave.example")
      expect(run).toMatchObject({ exitCode: 0, said: expect.stringContaining("250 2.0.0 Ok: queued") })
    })

    test("a Postfix that names nobody is told so inside TLS, and keeps the mail", async () => {
      await using carol = await carolsPostfix(friends, port, "may")
      carol.submit(mailTo("alice", "Whose is this?"))
      const log = await eventually("it is kept", async () => {
        const text = await carol.log()
        return text.includes("status=deferred") && text
      })
      expect(log).toMatch(/Untrusted TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]/)
      expect(log).toMatch(/status=deferred \(.*421 /)
      expect(await kept(friends.alice.server, "Whose is this?")).toBeUndefined()
      expect(await relay.logged("unnamed sender")).toMatchObject({ code: "NAME_MISSING" })
    })

    test.each([
      ["a name that is nobody's", ["--tls", "--tls-sni", "mx.carol.example"], /<~\* +4\d\d /],
      ["a friend who is away", ["--tls", "--tls-sni", "mx.erin.example"], /<~\* +4\d\d /],
      ["no TLS", [], /<\*\* +530 5\.7\.0/],
    ])("swaks with %s is refused before any mail is given away", async (_what, how, answer) => {
      const run = await swaks(port, "alice@alice.example", ...how)
      expect(run.exitCode).not.toBe(0)
      expect(run.said).toMatch(answer)
      expect(run.said).not.toContain("DATA")
    })
  })
})

async function friendAt(at: string, name: string): Promise<Friend> {
  const key = await keyPair(`mx.${name}.example`)
  const port = await freePort()
  const listen = { address: "127.0.0.1", port }
  return { at, key, port, server: await startPostfix({ listen, domains: [`${name}.example`], proxy: true, tls: key }) }
}

/** `fingerprint`: it asks for each friend by name, and writes to that friend's key alone. `may`: it names nobody. */
async function carolsPostfix(
  friends: Readonly<Record<string, Friend>>,
  port: number,
  level: "fingerprint" | "may",
): Promise<Postfix & AsyncDisposable> {
  const policies = Object.entries(friends).map(([name, { at, key }]) => {
    const match = new X509Certificate(key.cert).fingerprint256
    return `{ [${at}]:${port} = fingerprint match=${match} servername=mx.${name}.example }`
  })
  const postfix = await startPostfix({
    transport: Object.entries(friends).map(([name, { at }]) => `${name}.example smtp:[${at}]:${port}`),
    more: [
      `smtp_bind_address = ${CAROL}`,
      "smtp_tls_loglevel = 1",
      "smtp_tls_fingerprint_digest = sha256",
      `smtp_tls_security_level = ${level}`,
      level === "may" ? "smtp_tls_policy_maps =" : `smtp_tls_policy_maps = inline:{ ${policies.join(", ")} }`,
    ],
  })
  return { ...postfix, [Symbol.asyncDispose]: () => postfix.stop() }
}

function mailTo(name: string, text: string) {
  return { from: "carol@carol.example", to: `${name}@${name}.example`, subject: "noon", text }
}

async function kept(server: Postfix, text: string): Promise<string | undefined> {
  return (await server.mailbox()).find((mail) => mail.includes(text))
}

async function swaks(port: number, to: string, ...more: readonly string[]) {
  const server = ["--server", "127.0.0.1", "--port", String(port), "--local-interface", CAROL]
  return runClient("swaks", [...server, "--from", "carol@carol.example", "--to", to, ...more])
}
