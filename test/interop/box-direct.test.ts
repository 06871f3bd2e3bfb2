/** Does Alice need Bob at all? A real home router (miniupnpd on nftables) opens a port for her box, by each protocol it speaks. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { eventually } from "../support/eventually.ts"
import { household, nginxText, relayText, type Household, type Started } from "../support/household.ts"
import { judge } from "../support/installed.ts"
import { keyPair } from "../support/key-pair.ts"
import { publicAddress, SOMEBODYS, whyNoNamespaces } from "../support/namespaces.ts"

const why =
  whyNoNamespaces() ??
  (["curl", "nginx", "miniupnpd"] as const)
    .map((name) => judge(name) ?? `${name} is not installed`)
    .find((found) => found.endsWith("installed"))
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

const [HOME, RELAY, VISITOR] = (["home", "relay", "visitor"] as const).map((host) => publicAddress(host, SOMEBODYS))

;(why === undefined ? describe : describe.skip)(`Alice without Bob${why ? ` (SKIPPED: ${why})` : ""}`, () => {
  let home: Household
  beforeEach(async () => {
    home = await household(SOMEBODYS)
    home.start("box", "nginx", "-e", "stderr", "-c", await nginxText(home.folder, await keyPair("alice.example")))
  })
  afterEach(async () => home[Symbol.asyncDispose]())

  /** The page as the visitor sees it at this address; `undefined` if there is none. */
  const page = (address: string | undefined): string | undefined => {
    const to = `alice.example:443:${address}`
    try {
      return home.internet.run("visitor", "curl", "-s", "-k", "-m", "5", "--resolve", to, "https://alice.example/")
    } catch {
      return undefined
    }
  }

  async function boxWith(service: string): Promise<Started> {
    await home.join("relay", "--serve", "https=127.0.0.1:443")
    const written = await readFile(home.boxFile, "utf8")
    await writeFile(home.boxFile, written.replace('https: "127.0.0.1:443"', `https: ${service}`))
    const box = home.box()
    await eventually("the tunnel is up", () => box.said().includes("tunnel up"))
    return box
  }

  const saved = () => readFile(join(home.folder, "box-state/status.json"), "utf8").catch(() => "")
  const DIRECT = '{ to: "127.0.0.1:443", proxy: v2, direct: 443 }'

  test.each([
    ["PCP", ["enable_natpmp=yes", "enable_upnp=no"], ""],
    // RFC 6887 §7.1: the first byte says 2, where NAT-PMP's says 0.
    ["NAT-PMP", ["enable_natpmp=yes", "enable_upnp=no"], "udp dport 5351 @th,64,8 2 drop"],
    ["UPnP", ["enable_natpmp=no", "enable_upnp=yes"], ""],
  ])("by %s the router leads to her box, Bob says that he was there, and visitors need him no more", async (...how) => {
    const [protocol, settings, blocked] = how
    const bob = await home.relay("relay", relayText())
    await startRouter(home, settings, blocked)
    const box = await boxWith(DIRECT)
    await eventually("the relay was there", async () => (await saved()).includes('"possible"'))
    const { out } = await home.status()
    expect(out).toContain(
      `direct https: possible at ${HOME}:443, seen from relay relay (the router maps it by ${protocol})`,
    )
    expect(out).toContain(`alice.example.  A ${HOME}, and beside it the addresses of relay.bob.example`)
    expect([page(HOME), page(RELAY)]).toEqual(Array(2).fill(`Alice's page for ${VISITOR}\n`))
    await bob.stop("SIGKILL")
    expect([page(HOME), page(RELAY)]).toEqual([`Alice's page for ${VISITOR}\n`, undefined])
    await box.stop()
    expect(page(HOME)).toBeUndefined()
    expect(home.internet.run("home", "nft", "list", "table", "inet", "miniupnpd")).not.toContain("dnat")
  })

  test("what she does not list is never opened, and a router that opens nothing is told of", async () => {
    await home.relay("relay", relayText())
    await startRouter(home, ["enable_natpmp=yes", "enable_upnp=yes"], "")
    const box = await boxWith('{ to: "127.0.0.1:443", proxy: v2 }')
    expect(page(RELAY)).toBe(`Alice's page for ${VISITOR}\n`)
    expect(home.internet.run("home", "nft", "list", "table", "inet", "miniupnpd")).not.toContain("dnat")
    expect(JSON.parse(await saved())).toMatchObject({ direct: [] })
    await box.stop()
  })
})

async function startRouter(home: Household, settings: readonly string[], blocked: string): Promise<void> {
  const rules = [
    "add table inet miniupnpd",
    "add chain inet miniupnpd forward { type filter hook forward priority 0 ; }",
    "add chain inet miniupnpd leads { type nat hook prerouting priority -100 ; }",
    "add chain inet miniupnpd back { type nat hook postrouting priority 101 ; }",
    "add rule ip filter forward ct status dnat accept",
    "add table ip asked",
    "add chain ip asked input { type filter hook input priority 0 ; }",
    ...(blocked === "" ? [] : [`add rule ip asked input ${blocked}`]),
  ]
  home.internet.run("home", "nft", rules.join("\n"))
  const file = join(home.folder, "miniupnpd.conf")
  const fixed = [
    "ext_ifname=eth0",
    "listening_ip=lan0",
    "secure_mode=yes",
    "uuid=5d3f6a52-6f0e-4c7c-9d0e-2f6d0a3b1c11",
    "upnp_table_name=miniupnpd",
    "upnp_nat_table_name=miniupnpd",
    "upnp_forward_chain=forward",
    "upnp_nat_chain=leads",
    "upnp_nat_postrouting_chain=back",
    "allow 1-65535 192.168.7.0/24 1-65535",
    "deny 0-65535 0.0.0.0/0 0-65535",
  ]
  await writeFile(file, [...fixed, ...settings, ""].join("\n"))
  const router = home.start("home", "miniupnpd", "-d", "-f", file, "-P", join(home.folder, "miniupnpd.pid"))
  await eventually("the router listens", () => /HTTP listening|Listening for NAT-PMP/.test(router.said()))
}
