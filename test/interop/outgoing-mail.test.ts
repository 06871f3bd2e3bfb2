/**
 * Alice's mail servers behind NAT send to Carol's through Bob's relay: Postfix by proxychains, Exim by its own SOCKS. Carol's
 * Postfix sees the address that is Alice's alone, and Alice's see Carol's certificate.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { appendFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { eximSends } from "../support/exim.ts"
import { household, type Household } from "../support/household.ts"
import { missing } from "../support/installed.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"
import { whyNoNamespaces, type HostName } from "../support/namespaces.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { eventually } from "../support/eventually.ts"

const why = whyNoNamespaces() ?? missing("postfix", "exim4", "proxychains4", "curl")
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

/** Public addresses, which those for documentation are not: the relay would refuse them. Nothing leaves the namespaces. */
const ALICES = "11.0.0.7"
const RELAYS = "11.0.0.1"
const CAROLS = "11.0.0.25"
const SOCKS_PORT = 1025

const RELAY = `
relay: { name: relay.bob.example, state: ./state-relay }
listeners:
  smtp: { bind: ["${ALICES}:25"], protocol: smtp }
  tunnel: { bind: ["AT:7443"], protocol: tunnel }
friends:
  alice:
    domains: [mx.alice.example]
    addresses: ["${ALICES}"]
    outgoing-mail: { connections-max: 5 }
    routes:
      smtp: { mode: dedicated, to: box }
`

;(why === undefined ? describe : describe.skip)(`Alice's outgoing mail${why ? ` (SKIPPED: ${why})` : ""}`, () => {
  let home: Household
  let carol: Postfix
  let key: KeyPair

  beforeAll(async () => {
    home = await household()
    for (const [host, address] of [
      ["relay", ALICES],
      ["relay", RELAYS],
      ["visitor", CAROLS],
    ] as const)
      home.internet.run(host, "ip", "address", "add", `${address}/24`, "dev", "eth0")
    key = await keyPair("mx.carol.example")
    carol = await startPostfix({
      within: within("visitor"),
      listen: { address: CAROLS, port: 25 },
      domains: ["carol.example"],
      tls: key,
      more: ["myhostname = mx.carol.example"],
    })
    await home.relay("relay", RELAY)
    await home.join("relay", "--serve", "smtp=127.0.0.1:25")
    await appendFile(home.boxFile, `outgoing: { listen: "127.0.0.1:${SOCKS_PORT}" }\n`)
    const box = home.box()
    await eventually("the tunnel is up", () => box.said().includes("tunnel up"))
  })
  afterAll(async () => {
    await carol.stop()
    await home[Symbol.asyncDispose]()
  })

  function within(host: HostName): readonly string[] {
    return home.internet.on(host, "").slice(0, -1)
  }

  const mail = { from: "alice@alice.example", to: "carol@carol.example" }

  async function carolHas(text: string): Promise<string> {
    await eventually("Carol has the mail", async () => (await carol.mailbox()).some((one) => one.includes(text)))
    return carol.log()
  }

  test("Carol is out of reach from home but through the relay", () => {
    expect(() => home.internet.run("box", "curl", "-s", "-m", "2", `telnet://${CAROLS}:25`)).toThrow()
  })

  test("her box says where it listens for that, and who may use it", async () => {
    const said = `asked for at 127.0.0.1:${SOCKS_PORT} by whoever reaches it`
    await eventually("it says so", async () => (await home.status()).out.includes(said))
  })

  test("Postfix sends through it, insists on Carol's key, and comes from Alice's own address", async () => {
    const ca = join(home.folder, "carol.pem")
    await writeFile(ca, key.cert)
    const alices = await startPostfix({
      within: within("box"),
      socksPort: SOCKS_PORT,
      transport: [`carol.example smtp:[${CAROLS}]:25`],
      more: [
        "smtp_tls_security_level = secure",
        "smtp_tls_secure_cert_match = mx.carol.example",
        `smtp_tls_CAfile = ${ca}`,
        "smtp_tls_loglevel = 1",
      ],
    })
    try {
      alices.submit({ ...mail, subject: "Noon", text: "Meet me at noon" })
      const log = await carolHas("Meet me at noon")
      expect(log).toContain(`connect from unknown[${ALICES}]`)
      expect(log).not.toContain(`[${RELAYS}]`)
      expect(await alices.log()).toMatch(/Verified TLS connection established to .*TLSv1\.3/)
    } finally {
      await alices.stop()
    }
  })

  test("Exim sends through it with its own SOCKS, over TLS, and comes from Alice's own address", async () => {
    const via = { address: CAROLS, port: 25 }
    const sent = { ...mail, text: "Bring the map", via, tls: true, socksPort: SOCKS_PORT, within: within("box") }
    const log = await eximSends(sent)
    expect(log).toMatch(/=> carol@carol\.example .* X=TLS1\.3/)
    const far = await carolHas("Bring the map")
    expect(far.split("\n").filter((line) => line.includes(`connect from unknown[${ALICES}]`)).length).toBeGreaterThan(1)
  })

  test("curl is shown why by HTTP CONNECT, and by SOCKS that it is not allowed", () => {
    const curl = (proxy: string, place: string) =>
      home.internet.run(
        "box",
        "sh",
        "-c",
        `curl -sS -m 20 -p -x ${proxy}127.0.0.1:${SOCKS_PORT} telnet://${place} 2>&1; echo exit $?`,
      )
    expect(curl("http://", `${CAROLS}:80`)).toContain("403")
    expect(curl("http://", `${RELAYS}:25`)).toContain("403")
    expect(curl("socks5h://", "192.168.7.1:25")).toContain("exit 97")
  })
})
