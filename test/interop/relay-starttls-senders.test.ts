/**
 * Real senders write to two friends' Postfix servers behind one address, port 25: Postfix with DANE in a signed zone and a
 * validating resolver, Postfix with MTA-STS policies, Exim with DANE, OpenSMTPD, nodemailer, and Postfix that looks at nothing.
 * Every friend's log has the true sender, and the relay's recorder holds no byte of the mail, except where it is itself the end.
 */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { readRecording, recorderArguments, RECORDING_VARIABLE, streamsWith } from "../../src/lab/recorder/recording.ts"
import { eventually } from "../support/eventually.ts"
import { eximSends } from "../support/exim.ts"
import { withJudges } from "../support/judge.ts"
import {
  AT,
  carolsPostfix,
  keyDigest,
  openMailInternet,
  startRelayIn,
  type FriendsName,
  type MailInternet,
} from "../support/mail-internet.ts"
import { startOpenSmtpd } from "../support/opensmtpd.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { whyNoNamespaces } from "../support/namespaces.ts"

const NEEDED = [
  "postfix",
  "posttls-finger",
  "exim4",
  "smtpd",
  "mta-sts-daemon",
  "knotd",
  "unbound",
  "nginx",
  "dig",
  "openssl",
  "swaks",
] as const
const FRIENDS = ["alice", "dave"] as const
const why = whyNoNamespaces()
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

/** What the friend's own server says of the sender, whoever brought the mail. */
const OWN_LINE = new RegExp(
  `^Received: from \\S+ \\(unknown \\[${AT.carol}\\]\\)\\s+(?:\\(.*\\)\\s+)*by postfix\\.test`,
  "m",
)

withJudges(NEEDED, () => {
  ;(why === undefined ? describe : describe.skip)(
    `two friends behind one port 25${why ? ` (SKIPPED: ${why})` : ""}`,
    () => {
      const closing = new AsyncDisposableStack()
      let net: MailInternet
      let friends: Readonly<Record<FriendsName, Postfix>>
      let recording: string

      beforeAll(async () => {
        net = closing.use(await openMailInternet())
        friends = { alice: await friendsPostfix(net, "alice"), dave: await friendsPostfix(net, "dave") }
        for (const friend of Object.values(friends)) closing.defer(() => friend.stop())
        recording = join(net.folder, "recording.jsonl")
        await startRecordedRelay(net, recording)
      })
      afterAll(() => closing.disposeAsync())

      /** Each friend has the mail, and his own server says that it came from Carol's address. */
      async function arrived(what: string): Promise<void> {
        for (const name of FRIENDS) {
          const mail = await eventually(`${name} has "${what}"`, async () =>
            (await friends[name].mailbox()).find((each) => each.includes(`${what} for ${name}`)),
          )
          expect(mail).toMatch(OWN_LINE)
        }
      }
      const relayHeld = async (what: string) => streamsWith(await readRecording(recording), what).length > 0

      test("Postfix with DANE verifies each friend's key", async () => {
        await using carol = await sender(["smtp_dns_support_level = dnssec", "smtp_tls_security_level = dane-only"])
        writeToAll(carol, "sent with DANE")
        await arrived("sent with DANE")
        for (const name of FRIENDS) {
          const to = `mx.${name}.example[${AT.relay}]:25`
          expect(await carol.log()).toContain(`Verified TLS connection established to ${to}: TLSv1.3`)
        }
        expect(await relayHeld("sent with DANE")).toBe(false)
      })

      test("Postfix with MTA-STS verifies each friend's certificate", async () => {
        const config = join(net.folder, "mta-sts.yml")
        await writeFile(
          config,
          "host: 127.0.0.1\nport: 8461\ncache: { type: internal }\ndefault_zone: { strict_testing: false, timeout: 10 }\n",
        )
        await net.start("mta-sts-daemon", ["-c", config, "-v", "info"], { SSL_CERT_FILE: net.trustFile })
        await using carol = await sender([
          "smtp_tls_security_level = may",
          "smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix",
          `smtp_tls_CAfile = ${net.trustFile}`,
        ])
        writeToAll(carol, "sent with MTA-STS")
        await arrived("sent with MTA-STS")
        for (const name of FRIENDS) {
          const to = `mx.${name}.example[${AT.relay}]:25`
          expect(await carol.log()).toContain(`Verified TLS connection established to ${to}: TLSv1.3`)
        }
        expect(await relayHeld("sent with MTA-STS")).toBe(false)
      })

      test("Exim looks at DANE and writes to each", async () => {
        for (const name of FRIENDS) {
          const text = `sent by Exim for ${name}`
          const to = `${name}@${name}.example`
          const { within } = net
          const log = await eximSends({ from: "c@carol.example", to, text, via: "mx", within, interface: AT.carol })
          expect(log).toMatch(/ CV=dane /)
        }
        await arrived("sent by Exim")
        expect(await relayHeld("sent by Exim")).toBe(false)
      })

      test("nodemailer verifies each friend's certificate", async () => {
        for (const name of FRIENDS) {
          const options = { host: `mx.${name}.example`, port: 25, requireTLS: true, localAddress: AT.carol }
          const mail = {
            from: "c@carol.example",
            to: `${name}@${name}.example`,
            text: `sent by nodemailer for ${name}`,
          }
          const script = `import { createTransport } from "nodemailer"
          const ca = (await import("node:fs")).readFileSync(${JSON.stringify(net.trustFile)}, "utf8")
          const transport = createTransport({ ...${JSON.stringify(options)}, tls: { ca } })
          console.log((await transport.sendMail(${JSON.stringify(mail)})).response)`
          expect(await net.run("node", "--input-type=module", "-e", script)).toMatch(/^250 2\.0\.0 Ok: queued/m)
        }
        await arrived("sent by nodemailer")
        expect(await relayHeld("sent by nodemailer")).toBe(false)
      })

      test.each(FRIENDS)("posttls-finger and openssl see the certificate of %s", async (name) => {
        const finger = await net.run("posttls-finger", "-c", "-l", "dane-only", `${name}.example`)
        expect(finger).toMatch(
          /Verified TLS connection established to mx\.\w+\.example\[198\.51\.100\.10\]:25: TLSv1\.3/,
        )
        const target = ["-starttls", "smtp", "-servername", `mx.${name}.example`, "-connect", `${AT.relay}:25`]
        const dane = [
          "-dane_tlsa_domain",
          `mx.${name}.example`,
          "-dane_tlsa_rrdata",
          `3 1 1 ${keyDigest(net.keys[name].cert)}`,
        ]
        const shown = await net.run("openssl", "s_client", "-showcerts", ...target, ...dane)
        expect(shown).toContain(net.keys[name].cert.trim())
        expect(shown).toContain("Verified peername")
      })

      test("Postfix that looks at nothing names nobody: told so where nobody may read it, and it keeps the mail", async () => {
        await using carol = await sender(["smtp_tls_security_level = may"])
        writeToAll(carol, "sent naming nobody")
        const log = await eventually("it is kept", async () => {
          const text = await carol.log()
          return (text.match(/status=deferred/g) ?? []).length >= 2 && text
        })
        expect(log).toContain("421 4.7.0 Your TLS names no host behind this address")
        expect(await relayHeld("sent naming nobody")).toBe(false)
      })

      test("… and delivered where the friends let the relay read such mail, which it says", async () => {
        await using carol = await sender(["smtp_tls_security_level = may"], AT.open)
        writeToAll(carol, "sent in the open")
        await arrived("sent in the open")
        expect(await relayHeld("sent in the open")).toBe(true)
      })

      test("OpenSMTPD 6.8 names nobody either, and is delivered there too", async () => {
        await using smtpd = await startOpenSmtpd({ within: net.within, from: AT.carol, to: AT.open, port: 2525 })
        for (const name of FRIENDS) {
          const mail = ["--from", "c@carol.example", "--to", `${name}@${name}.example`]
          const body = ["--body", `sent by OpenSMTPD for ${name}`]
          await net.run("swaks", "--server", "127.0.0.1", "--port", String(smtpd.port), ...mail, ...body)
        }
        await arrived("sent by OpenSMTPD")
        expect(smtpd.log()).toMatch(/mta tls ciphers=TLSv1\.3/)
        expect(await relayHeld("sent by OpenSMTPD")).toBe(true)
      })

      test("in each friend's log the true client handed in every mail, also where the relay was the end", async () => {
        for (const name of FRIENDS) {
          const clients = (await friends[name].log()).matchAll(/\/smtpd\[\d+\]: \w+: client=(\S+)/g)
          expect(new Set(Array.from(clients, ([, client]) => client))).toEqual(new Set([`unknown[${AT.carol}]`]))
        }
      })

      const sender = (more: readonly string[], via?: string) =>
        carolsPostfix(net, more, via === undefined ? [] : FRIENDS.map((name) => `${name}.example smtp:[${via}]:25`))
    },
  )
})

function writeToAll(carol: Postfix, what: string): void {
  for (const name of FRIENDS)
    carol.submit({
      from: "carol@carol.example",
      to: `${name}@${name}.example`,
      subject: "noon",
      text: `${what} for ${name}`,
    })
}

/**
 * Alice's Postfix is told by PROXY who the sender is, Dave's by XCLIENT, and both by XCLIENT where the relay is the end;
 * neither takes the relay for one of its own. What a program connects to on its own machine it connects to from there.
 */
async function friendsPostfix(net: MailInternet, name: FriendsName): Promise<Postfix> {
  return startPostfix({
    within: net.within,
    listen: { address: AT[name], port: 25 },
    domains: [`${name}.example`],
    tls: net.keys[name],
    proxy: name === "alice",
    more: [`inet_interfaces = ${AT[name]}`, "mynetworks =", `smtpd_authorized_xclient_hosts = ${AT[name]}`],
  })
}

/** Listens where names are demanded, and where the friends let the relay take what names nobody. */
async function startRecordedRelay(net: MailInternet, recording: string): Promise<void> {
  const friend = (name: FriendsName, proxy: string) => `
  ${name}:
    domains: [mx.${name}.example, ${name}.example]
    routes:
      smtp: { mode: dedicated, to: "${AT[name]}:25", proxy: ${proxy} }
      open: { mode: dedicated, to: "${AT[name]}:25", proxy: ${proxy}, otherwise: peer, xclient: true }`
  await startRelayIn(
    net,
    `relay: { name: relay.bob.example, state: ./state }
listeners:
  smtp: { bind: "${AT.relay}:25", protocol: smtp }
  open: { bind: "${AT.open}:25", protocol: smtp }
friends:${friend("alice", "v2")}${friend("dave", "xclient")}
`,
    { flags: recorderArguments(), env: { [RECORDING_VARIABLE]: recording, WAYPOST_ENGINE: "javascript" } },
  )
}
