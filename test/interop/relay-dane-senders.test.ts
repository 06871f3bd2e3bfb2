/**
 * The relay is itself the host that a domain's MX record names (peer mail), with its own certificate behind STARTTLS: Postfix
 * as a strict DANE sender delivers through it where TLSA has the relay's key, and sends nothing where it has another.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { ownCertificate } from "../../src/cert/own-certificate.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import type { Published } from "../../src/relay/mail-records.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { AT, carolsPostfix, openMailInternet, startRelayIn, type MailInternet } from "../support/mail-internet.ts"
import { whyNoNamespaces } from "../support/namespaces.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { scratchFolder } from "../support/program.ts"
import { waypost } from "../support/waypost.ts"

const why = whyNoNamespaces()
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

const STRICT = ["smtp_dns_support_level = dnssec", "smtp_tls_security_level = dane-only"]

withJudges(["postfix", "posttls-finger", "knotd", "unbound", "nginx", "dig"], () => {
  ;(why === undefined ? describe : describe.skip)(`peer mail with DANE${why ? ` (SKIPPED: ${why})` : ""}`, () => {
    const closing = new AsyncDisposableStack()
    let net: MailInternet
    let erin: Postfix
    let file: string

    beforeAll(async () => {
      const { path: state } = closing.use(await scratchFolder())
      const { spkiSha256 } = await ownCertificate(state, RELAY)
      net = closing.use(await openMailInternet(recordsWith(spkiSha256)))
      const listen = { address: AT.dave, port: 25 }
      const domains = ["erin.example", "late.example"]
      erin = await startPostfix({ within: net.within, listen, domains, more: [`inet_interfaces = ${AT.dave}`] })
      closing.defer(() => erin.stop())
      file = await startRelayIn(net, relayFor(domains, state))
    })
    afterAll(() => closing.disposeAsync())

    const finger = (domain: string) => net.run("posttls-finger", "-c", "-l", "dane", domain)

    test("posttls-finger verifies the relay's key, and not the one that a record of long ago has", async () => {
      expect(await finger("erin.example")).toContain(
        `Verified TLS connection established to ${RELAY}[${AT.relay}]:25: TLSv1.3`,
      )
      const late = await finger("late.example")
      expect(late).toMatch(/Untrusted TLS connection established to mx\.late\.example/)
      expect(late).not.toContain("Verified")
    })

    test("Postfix with dane-only delivers through it", async () => {
      await using carol = await carolsPostfix(net, STRICT)
      carol.submit({ from: "carol@carol.example", to: "erin@erin.example", subject: "noon", text: "Meet me at noon" })
      await eventually("Erin has it", async () =>
        (await erin.mailbox()).some((mail) => /^Received: .*by relay\.bob\.example/ms.test(mail)),
      )
      expect(await carol.log()).toContain(`Verified TLS connection established to ${RELAY}[${AT.relay}]:25: TLSv1.3`)
    })

    test("… and sends nothing where the record has another key: the mail waits with it", async () => {
      await using carol = await carolsPostfix(net, STRICT)
      carol.submit({ from: "carol@carol.example", to: "erin@late.example", subject: "noon", text: "Not for Eve" })
      const log = await eventually("it is deferred", async () => {
        const text = await carol.log()
        return text.includes("status=deferred") && text
      })
      expect(log).toMatch(/dsn=4\.7\.5, status=deferred \(Server certificate not (?:trusted|verified)\)/)
      expect((await erin.mailbox()).filter((mail) => mail.includes("Not for Eve"))).toEqual([])
    })

    test("`waypost check --dns` prints the TLSA record that is in the zone, and no other", async () => {
      const { out } = await waypost("check", "--dns", "--json", "-c", file)
      const published = JSON.parse(out) as readonly Published[] // what --json prints
      const printed = published.flatMap(({ records }) => records.filter(({ type }) => type === "TLSA"))
      const [usage, selector, matching, ...digits] = (await net.run("dig", "+short", "TLSA", `_25._tcp.${RELAY}`))
        .trim()
        .split(" ")
      const data = `${usage} ${selector} ${matching} ${digits.join("").toLowerCase()}`
      const record = { name: `_25._tcp.${RELAY}`, type: "TLSA", data }
      expect(printed).toEqual([record, record]) // once for each domain
    })
  })
})

const RELAY = hostname("relay.bob.example") as Hostname // known to be one

/** Erin's domains: one MX leads to the relay by its name, the other by a name whose TLSA record has a key that is not its own. */
function recordsWith(spkiSha256: string): readonly string[] {
  return [
    "erin MX 10 relay.bob",
    `relay.bob A ${AT.relay}`,
    `_25._tcp.relay.bob TLSA 3 1 1 ${spkiSha256}`,
    "late MX 10 mx.late",
    `mx.late A ${AT.relay}`,
    `_25._tcp.mx.late TLSA 3 1 1 ${"ab".repeat(32)}`,
  ]
}

function relayFor(domains: readonly string[], state: string): string {
  return `relay: { name: ${RELAY}, state: ${state} }
listeners: { smtp: { bind: "${AT.relay}:25", protocol: smtp } }
friends: { erin: { domains: [${domains.join(", ")}], routes: { smtp: { mode: peer, to: "${AT.dave}:25" } } } }
`
}
