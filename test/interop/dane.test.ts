/**
 * DANE towards a friend's server, judged by real programs: Knot signs, Unbound validates, Postfix is the friend's, and
 * `waypost queue` says why mail waits.
 */
import { gunzipSync } from "node:zlib"
import { describe, expect, test } from "@jest/globals"
import { eventually } from "../support/eventually.ts"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair, spkiSha256, type KeyPair } from "../support/key-pair.ts"
import { startPostfix } from "../support/postfix.ts"
import { freePort, scratchFolder } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"
import { signedDns, type SignedDns } from "../support/signed-dns.ts"
import { waypost } from "../support/waypost.ts"

withJudges(["knotd", "unbound", "dig", "postfix", "swaks"], () => {
  describe.each(["published", "dane-only"] as const)("tls: %s", (tls) => {
    test("the right TLSA record: the mail arrives, proved", async () => {
      await using at = await household({ tls, record: (pair) => `3 1 1 ${spkiSha256(pair)}` })
      await at.mail()
      expect(await at.relay.logged("mail-delivered")).toMatchObject({ proof: "dane", tls: expect.any(String) })
      await eventually("Dave has it", async () => (await at.mailbox()).length === 1)
      expect(await at.relay.logged("DANE is on")).toBeDefined()
    })

    test("another key than the record says: nothing is sent, and the queue says why", async () => {
      await using at = await household({ tls, record: () => `3 1 1 ${"ab".repeat(32)}` })
      await at.mail()
      await at.relay.logged("mail-later", { code: "HOME_TLS_FAILED" })
      expect(await at.queue()).toMatchObject([
        { recipients: [{ state: "waiting", why: expect.stringContaining("no TLSA record matches what it showed") }] },
      ])
      expect(await at.mailbox()).toEqual([])
    })

    test("signatures that are wrong: nothing is sent", async () => {
      await using at = await household({ tls, host: "mx.bogus.example" })
      await at.mail()
      await at.relay.logged("mail-later", { code: "HOME_TLS_UNKNOWN" })
      expect(await at.queue()).toMatchObject([
        {
          recipients: [
            { why: expect.stringMatching(/address of mx\.bogus\.example: 127\.0\.0\.1 answers with SERVFAIL/) },
          ],
        },
      ])
    })
  })

  test("another key than the record says: the domain is told the day after, over the very hop that failed", async () => {
    await using folder = await scratchFolder()
    const asked = { tls: "published", record: () => `3 1 1 ${"ab".repeat(32)}`, folder: folder.path } as const
    {
      await using at = await household(asked)
      await at.mail()
      await at.relay.logged("mail-later", { code: "HOME_TLS_FAILED" })
    }
    await using at = await household({ ...asked, clockAheadMs: 30 * HOUR_MS })
    const mail = await eventually("Dave has the report", async () =>
      (await at.mailbox()).find((each) => /^Subject: Report Domain: dave\.example /m.test(each)),
    )
    const base64 = /^Content-Type: application\/tlsrpt\+gzip\n(?:.+\n)+\n(?<text>[A-Za-z0-9+/=\n]+)\n--/m.exec(
      mail,
    )?.groups
    const report: unknown = JSON.parse(gunzipSync(Buffer.from(base64?.["text"] ?? "", "base64")).toString())
    expect(report).toMatchObject({
      "organization-name": "relay.bob.example",
      "contact-info": "postmaster@bob.example",
      policies: [
        {
          policy: { "policy-type": "tlsa", "policy-string": [asked.record()], "policy-domain": "dave.example" },
          summary: { "total-successful-session-count": 0 },
          "failure-details": [
            { "result-type": "tlsa-invalid", "receiving-mx-hostname": "localhost", "receiving-ip": "127.0.0.1" },
          ],
        },
      ],
    })
    expect(await at.queue()).toMatchObject([{ recipients: [{ state: "waiting" }] }]) // the mail still does not go there
  })

  test("no record: published sends, dane-only keeps and says so", async () => {
    await using lax = await household({ tls: "published" })
    await lax.mail()
    expect(await lax.relay.logged("mail-delivered")).not.toHaveProperty("proof")
    await using strict = await household({ tls: "dane-only" })
    await strict.mail()
    await strict.relay.logged("mail-later", { code: "HOME_WITHOUT_DANE" })
    expect(await strict.queue()).toMatchObject([
      { recipients: [{ why: expect.stringContaining("localhost has no TLSA record") }] },
    ])
  })

  test("a resolver that does not validate: DANE is off, it is said, and published mail goes on", async () => {
    await using at = await household({
      tls: "published",
      record: () => `3 1 1 ${"ab".repeat(32)}`,
      resolver: (dns) => dns.nameServer,
    })
    expect(await at.relay.logged("DANE is off")).toMatchObject({
      because: "the resolver 127.0.0.1 does not validate",
    })
    await at.mail()
    await at.relay.logged("mail-delivered")
    const doctor = await waypost("doctor", "-c", at.file)
    expect(doctor.out.replaceAll(/\s+/g, " ")).toContain("DANE is off because the resolver 127.0.0.1 does not validate")
  })
})

type Asked = {
  readonly tls: "published" | "dane-only"
  /** What stands behind TLSA for the next hop. */
  readonly record?: (pair: KeyPair) => string
  /** A name that this machine's own resolver has, unless nobody is to be reached. */
  readonly host?: string
  readonly resolver?: (dns: SignedDns) => string
  /** Of the relay; its own unless given. */
  readonly folder?: string
  readonly clockAheadMs?: number
}

const HOUR_MS = 3_600_000
const REPORTS = '_smtp._tls.dave.example. TXT "v=TLSRPTv1; rua=mailto:postmaster@dave.example"'

/** Dave's Postfix at `localhost`, which the signed root has as well, and Bob's relay in front of it. */
async function household(asked: Asked) {
  const { tls, record, host = "localhost", resolver = (dns) => dns.resolver, clockAheadMs = 0 } = asked
  await using undo = new AsyncDisposableStack()
  const home = await freePort()
  const pair = await keyPair("whoever.example")
  const tlsa = record ? [`_${home}._tcp.localhost. TLSA ${record(pair)}`] : []
  const dns = undo.use(await signedDns(["localhost. A 127.0.0.1", REPORTS, ...tlsa]))
  const listen = { address: "127.0.0.1", port: home }
  const postfix = undo.adopt(await startPostfix({ listen, domains: ["dave.example"], tls: pair }), (it) => it.stop())
  const folder = asked.folder ?? undo.use(await scratchFolder()).path
  const yaml = `  resolver: { at: ["${resolver(dns)}"] }
  tls-reports: postmaster@bob.example
listeners: { smtp: { bind: ["127.0.0.1:0"], protocol: smtp } }
friends: { dave: { domains: [dave.example], routes: { smtp: { mode: peer, to: "${host}:${home}", tls: ${tls} } } } }
`
  const relay = undo.use(await startRelayProgram(yaml, { folder, clockAheadMs }))
  const file = `${folder}/relay.yaml`
  const closing = undo.move()
  return {
    relay,
    file,
    mailbox: () => postfix.mailbox(),
    mail: () => mailTo(relay),
    queue: async () => JSON.parse((await waypost("queue", "list", "-c", file, "--json")).out) as unknown,
    [Symbol.asyncDispose]: () => closing.disposeAsync(),
  }
}

async function mailTo(relay: RelayProgram): Promise<void> {
  const server = ["--server", `127.0.0.1:${relay.port("smtp")}`, "--helo", "mail.sender.example"]
  const envelope = ["--from", "carol@sender.example", "--to", "dave@dave.example", "--body", "Meet me at noon"]
  expect(await runClient("swaks", [...server, ...envelope])).toMatchObject({ exitCode: 0 })
}
