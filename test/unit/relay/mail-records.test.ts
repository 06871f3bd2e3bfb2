/** What friends publish: from the file, and from what their servers show. */
import { describe, expect, test } from "@jest/globals"
import { createHash, X509Certificate } from "node:crypto"
import { mkdir, readdir, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { systemClock } from "../../../src/clock/clock.ts"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import { publishedFor } from "../../../src/relay/look-at-home.ts"
import { mailPlaces, published } from "../../../src/relay/mail-records.ts"
import { ownCertificate } from "../../../src/cert/own-certificate.ts"
import { peerPlaces } from "../../../src/relay/peer-mail-records.ts"
import { keyPair } from "../../support/key-pair.ts"
import { address } from "../../support/loopback.ts"
import { scratchFolder } from "../../support/program.ts"
import { testConfig } from "../../support/relay.ts"
import { startMailHost } from "../../support/smtp-dialogue.ts"

const LISTENERS = `listeners:
  smtp: { bind: "127.0.0.1:25", protocol: smtp }
  submission: { bind: "127.0.0.1:587", protocol: smtp }
friends:
`
const PEER = 'smtp: { mode: peer, to: "127.0.0.1:1" }'
const friend = (domains: string, route = 'smtp: { mode: dedicated, to: "127.0.0.1:1" }', state = "/nowhere") =>
  testConfig(`${LISTENERS}  alice: { domains: [${domains}], routes: { ${route} } }`, state)

describe("the domain whose mail comes, and the host that its MX names", () => {
  test.each([
    ["mx.alice.example", ["alice.example at mx.alice.example"]],
    ["mail2.alice.example", ["alice.example at mail2.alice.example"]],
    ["alice.example", ["alice.example at alice.example"]],
    ["alice.example, in.alice.example", ["alice.example at in.alice.example"]],
    ["mx.alice.example, alice.test", ["alice.example at mx.alice.example", "alice.test at alice.test"]],
    ['"*.alice.example", mx.alice.example', ["alice.example at mx.alice.example"]],
  ])("of %s", (domains, places) => {
    expect(mailPlaces(friend(domains)).map(({ domain, host }) => `${domain} at ${host}`)).toEqual(places)
  })

  test("nothing for mail that the relay takes itself, nor for programs that hand mail in", () => {
    expect(mailPlaces(friend("mx.alice.example", PEER))).toEqual([])
    expect(mailPlaces(friend("mx.alice.example", 'submission: { mode: dedicated, to: "127.0.0.1:1" }'))).toEqual([])
  })
})

describe("the records", () => {
  const [place] = mailPlaces(friend("mx.alice.example"))
  if (!place) throw new Error("there is one")
  const known = (vouchedFor: boolean) => ({
    addresses: [address("203.0.113.7"), address("2001:db8::7")],
    shown: { kind: "key", digest: "ab".repeat(32), vouchedFor } as const,
  })
  const lines = (records: ReturnType<typeof published>["records"]) =>
    records.map(({ name, type, data }) => `${name} ${type} ${data}`)

  test("lead to the relay and insist on the friend's key", () => {
    const { records, policy } = published(place, known(true))
    expect(lines(records)).toEqual([
      "alice.example MX 10 mx.alice.example.",
      "mx.alice.example A 203.0.113.7",
      "mx.alice.example AAAA 2001:db8::7",
      `_25._tcp.mx.alice.example TLSA 3 1 1 ${"ab".repeat(32)}`,
      expect.stringMatching(/^_mta-sts\.alice\.example TXT "v=STSv1; id=[0-9a-f]{20}"$/),
      '_smtp._tls.alice.example TXT "v=TLSRPTv1; rua=mailto:postmaster@alice.example"',
    ])
    expect(policy).toEqual({
      url: "https://mta-sts.alice.example/.well-known/mta-sts.txt",
      text: "version: STSv1\nmode: enforce\nmx: mx.alice.example\nmax_age: 604800\n",
    })
  })

  test("do not make senders refuse a certificate that nobody vouches for; the id changes with the policy", () => {
    const [strict, lenient] = [published(place, known(true)), published(place, known(false))]
    expect(lenient.policy?.text).toContain("mode: testing")
    expect(lines(strict.records).at(-2)).not.toBe(lines(lenient.records).at(-2))
    expect(lenient.notes.join(" ")).toContain("No authority vouches for what mx.alice.example shows")
  })

  test("say what is missing where nothing was seen", () => {
    const { records, notes, byHand } = published(place, {
      addresses: [],
      shown: { kind: "not-seen", why: "the server is behind a box's tunnel" },
    })
    expect(records.map(({ type }) => type)).toEqual(["MX", "TXT", "TXT"])
    expect(notes.join(" ")).toContain("could not be looked at (the server is behind a box's tunnel)")
    expect(byHand).toContain("_25._tcp.mx.alice.example. TLSA 3 1 1 DIGITS")
  })
})

describe("where the relay is the host", () => {
  test("each domain leads to it and insists on the relay's own key", async () => {
    await using state = await scratchFolder()
    const config = friend('alice.example, www.alice.example, "*.alice.example", alice.test', PEER, state.path)
    const { spkiSha256 } = await ownCertificate(config.relay.state, config.relay.name)
    const all = await publishedFor(config, systemClock)
    expect(all.map(({ domain, host }) => `${domain} at ${host}`)).toEqual([
      `alice.example at ${config.relay.name}`,
      `alice.test at ${config.relay.name}`,
    ])
    expect(all[0]).toMatchObject({
      records: [
        { name: "alice.example", type: "MX", data: `10 ${config.relay.name}.` },
        { name: config.relay.name, type: "A", data: "127.0.0.1" },
        { name: `_25._tcp.${config.relay.name}`, type: "TLSA", data: `3 1 1 ${spkiSha256}` },
        { name: "_smtp._tls.alice.example", type: "TXT", data: expect.stringContaining("v=TLSRPTv1;") },
      ],
    })
    expect(all[0]?.policy).toBeUndefined()
  })

  test("looking makes no key, and says that there is none yet, or that it cannot be read", async () => {
    await using state = await scratchFolder()
    const config = friend("alice.example", PEER, state.path)
    const [none] = await publishedFor(config, systemClock)
    expect(await readdir(state.path)).toEqual([])
    expect(none?.records.map(({ type }) => type)).toEqual(["MX", "A", "TXT"])
    expect(none?.notes.join(" ")).toContain("made when the relay starts for the first time")
    await mkdir(config.relay.state)
    await writeFile(join(config.relay.state, "own-key.pem"), "no key")
    const [damaged] = await publishedFor(config, systemClock)
    expect(damaged?.notes.join(" ")).toContain("STATE_DAMAGED")
  })

  test("nothing for dedicated mail, nor for programs that hand mail in", () => {
    expect(peerPlaces(friend("alice.example"))).toEqual([])
    expect(peerPlaces(friend("alice.example", 'submission: { mode: peer, to: "127.0.0.1:1" }'))).toEqual([])
  })
})

describe("looking", () => {
  test("finds the key that the friend's server shows", async () => {
    const pair = await keyPair("mx.alice.example")
    await using server = await startMailHost({ name: hostname("mx.alice.example") as Hostname, tls: pair })
    const config = friend("mx.alice.example", `smtp: { mode: dedicated, to: "127.0.0.1:${server.port}" }`)
    const [found] = await publishedFor(config, systemClock)
    const key = new X509Certificate(pair.cert).publicKey.export({ type: "spki", format: "der" })
    const digest = createHash("sha256").update(key).digest("hex")
    expect(found?.records).toContainEqual({
      name: "_25._tcp.mx.alice.example",
      type: "TLSA",
      data: `3 1 1 ${digest}`,
    })
    expect(found?.records).toContainEqual({ name: "mx.alice.example", type: "A", data: "127.0.0.1" })
    expect(found?.policy?.text).toContain("mode: testing")
  })

  test("says why it saw none", async () => {
    const [found] = await publishedFor(friend("mx.alice.example"), systemClock)
    expect(found?.notes.join(" ")).toMatch(/could not be looked at \(BACKEND_REFUSES: 127\.0\.0\.1:1: /)
  })
})
