/** What goes wrong between a box and its relays, with real programs in network namespaces: does it mend, or is it refused? */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { household, nginxText, relayText, type Household } from "../support/household.ts"
import { eventually } from "../support/eventually.ts"
import { judge } from "../support/installed.ts"
import { keyPair } from "../support/key-pair.ts"
import { publicAddress, whyNoNamespaces } from "../support/namespaces.ts"
import { startPostfix } from "../support/postfix.ts"

const why =
  whyNoNamespaces() ??
  (["curl", "nginx", "swaks", "postfix"] as const)
    .map((name) => judge(name) ?? `${name} is not installed`)
    .find((found) => found.endsWith("installed"))
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

const HTTPS = ["--serve", "https=127.0.0.1:443"]

;(why === undefined ? describe : describe.skip)(`A box in trouble${why ? ` (SKIPPED: ${why})` : ""}`, () => {
  let home: Household

  beforeEach(async () => {
    home = await household()
    const nginx = await nginxText(home.folder, await keyPair("alice.example"))
    home.start("box", "nginx", "-e", "stderr", "-c", nginx)
  })
  afterEach(async () => home[Symbol.asyncDispose]())

  /** The page as the visitor sees it through this relay; `undefined` if there is none. */
  const page = (host: "relay" | "relay2" = "relay"): string | undefined => {
    const to = `alice.example:443:${publicAddress(host)}`
    try {
      return home.internet.run("visitor", "curl", "-s", "-k", "-m", "2", "--resolve", to, "https://alice.example/")
    } catch {
      return undefined
    }
  }

  /** Joins and runs the box; nginx wants a PROXY header, which join does not write by itself. */
  async function attached(...hosts: readonly ("relay" | "relay2")[]) {
    for (const host of hosts) await home.join(host, ...HTTPS)
    await withProxyHeader(home.boxFile)
    const box = home.box()
    await eventually("every tunnel is up", () => box.said().split("tunnel up").length > hosts.length)
    return box
  }

  test("the provider gives the home another address: the box is back", async () => {
    await home.relay("relay", relayText())
    const box = await attached("relay")
    home.internet.renumberHome("198.51.100.99")
    await eventually("the box has dialled again", () => box.said().split("tunnel up").length > 2)
    expect(page()).toBe(`Alice's page for ${publicAddress("visitor")}\n`)
  })

  test("the cable is pulled: the box notices within 15 s, and is back when it is in again", async () => {
    await home.relay("relay", relayText())
    const box = await attached("relay")
    home.internet.cable("home", "out")
    const pulled = performance.now()
    await eventually("the box has noticed", () => box.said().includes("tunnel down"))
    const noticedMs = performance.now() - pulled
    process.stdout.write(`a silent network was noticed after ${(noticedMs / 1000).toFixed(1)} s\n`)
    expect(noticedMs).toBeLessThan(15_000) // docs/tunnel-protocol.md §4, with a second to spare
    expect((await home.status()).out).toMatch(/dialling|down/)
    home.internet.cable("home", "in")
    await eventually("the page is there again", () => page())
  })

  test("one of two relays dies: the other serves, and the dead one is served through again when it is back", async () => {
    const bob = await home.relay("relay", relayText())
    await home.relay("relay2", relayText())
    await attached("relay", "relay2")
    expect([page("relay"), page("relay2")]).toEqual(Array(2).fill(`Alice's page for ${publicAddress("visitor")}\n`))
    await bob.stop("SIGKILL")
    expect(page("relay")).toBeUndefined()
    expect(page("relay2")).toBeDefined()
    await eventually("status tells", async () => (await home.status()).out.includes("connect ECONNREFUSED"))
    await home.relay("relay", relayText())
    await eventually("the first relay serves again", () => page("relay"))
  })

  test("a forged relay, at the same address but with another key, is refused", async () => {
    const bob = await home.relay("relay", relayText())
    await home.join("relay", ...HTTPS)
    await bob.stop()
    await home.relay("relay", relayText().replace("state-HOST", "state-forged"))
    const box = home.box()
    await eventually("the box has refused", () => box.said().includes("not the relay we know: it shows another key"))
    expect(page()).toBeUndefined()
  })

  test("the relay puts itself in the middle: the box sees another key than its own, and leaves, loudly", async () => {
    await home.relay("relay", relayText())
    await home.relay("relay2", relayText())
    const box = await attached("relay", "relay2")
    await eventually("the box has visited itself through both", async () => {
      const { out } = await home.status()
      return out.split("were shown this box's key").length > 2
    })
    await standsInBetween(home)
    await box.stop()
    const again = home.box()
    await eventually(
      "the visitor reads what she should not",
      () => page() === `Alice's page for ${publicAddress("relay")}\n`,
    )
    await eventually("the box has left", () => again.said().includes('"code":"ANOTHER_KEY"'))
    expect(page("relay")).not.toContain("Alice's page")
    expect(page("relay2")).toBe(`Alice's page for ${publicAddress("visitor")}\n`)
    const { code, out } = await home.status()
    expect(out).toContain("DETACHED")
    expect(code).toBe(1)
  })

  test("a lost box is revoked: its tunnel ends, it does not get in again, and the name waits for the new box", async () => {
    await home.relay("relay", relayText())
    const lost = await attached("relay")
    const line = await home.invite("relay", "--replace")
    await eventually("the old tunnel has ended", () => lost.said().includes("tunnel down"))
    expect(page()).toBeUndefined()
    await eventually("the old key opens nothing", () => lost.said().includes("it does not know this box's key"))
    await lost.stop()
    const again = await home.joinWith(line, "box.yaml", ...HTTPS)
    expect(again.code).toBe(1) // the lost box, with a line that somebody has read: its key is never pinned again
    const fresh = await home.joinWith(await home.invite("relay"), "new/box.yaml", ...HTTPS)
    expect(fresh.code).toBe(0)
    await withProxyHeader(join(home.folder, "new/box.yaml"))
    home.box("new/box.yaml")
    await eventually("the new box serves", () => page() === `Alice's page for ${publicAddress("visitor")}\n`)
  })

  test("a stolen invitation: who comes second is refused and told, and the thief is out with one command", async () => {
    const bob = await home.relay("relay", relayText())
    const line = await home.invite("relay")
    expect((await home.joinWith(line, "thief/box.yaml", ...HTTPS)).code).toBe(0)
    const thief = home.box("thief/box.yaml")
    await eventually("the thief's tunnel is up", () => thief.said().includes("tunnel up"))
    const alice = await home.joinWith(line, "box.yaml", ...HTTPS)
    expect(alice).toMatchObject({
      code: 1,
      out: expect.stringContaining("the invitation was used, has expired or was replaced"),
    })
    expect(bob.said()).toContain("its key is nobody's, and it claims no open invitation")
    const again = await home.joinWith(await home.invite("relay", "--replace"), "box.yaml", ...HTTPS)
    expect(again.code).toBe(0)
    await eventually("the thief is out", () => thief.said().includes("tunnel down"))
    await withProxyHeader(home.boxFile)
    home.box()
    await eventually("Alice's own box serves", () => page() === `Alice's page for ${publicAddress("visitor")}\n`)
    expect(bob.said()).not.toContain("breaks its promise")
  })

  test("a relay that asks for a service which the box does not list gets nothing", async () => {
    const listeners = `  router: { bind: ["AT:8080"], protocol: tcp, friend: alice }`
    await home.relay("relay", relayText({ listeners, routes: "      router: { mode: dedicated, to: box }" }))
    home.start("box", "nginx", "-e", "stderr", "-c", await plainWeb(home.folder))
    const box = await attached("relay")
    const curl = () => home.internet.run("visitor", "curl", "-s", "-m", "3", `http://${publicAddress("relay")}:8080/`)
    expect(curl).toThrow()
    await eventually("the box says so", () => box.said().includes("not listed in this box's file"))
    expect(box.said()).toContain('"service":"router"')
  })

  test("the relay begins to read although the promise is sealed: the box stays away and its status says why", async () => {
    const bob = await home.relay("relay", relayText())
    await home.join("relay", ...HTTPS, "--promise", "sealed")
    await bob.stop()
    const listeners = `  http: { bind: ["AT:80"], protocol: http }`
    await home.relay("relay", relayText({ listeners, routes: "      http: { mode: peer, to: box }" }))
    const box = home.box()
    await eventually("the box has refused", () => box.said().includes("verdicts refused"))
    expect(box.said()).toContain('"routes":"alice/http"')
    const { code, out } = await home.status()
    expect(out).toContain("what the relay could do breaks this box's promise")
    expect(code).toBe(1)
    expect(page()).toBeUndefined()
  })

  test("mail that came while the box was away is at home soon after it is back, once", async () => {
    const listeners = `  smtp: { bind: ["AT:25"], protocol: smtp }`
    await home.relay("relay", relayText({ listeners, routes: "      smtp: { mode: peer, to: box }" }))
    await home.join("relay", "--serve", "smtp=127.0.0.1:25")
    const from = ["--server", publicAddress("relay"), "--from", "carol@carol.example", "--to", "me@alice.example"]
    for (const subject of ["one", "two", "three"])
      home.internet.run("visitor", "swaks", ...from, "--header", `Subject: ${subject}`)
    const postfix = await startPostfix({
      within: home.internet.on("box", "postfix").slice(0, -1),
      listen: { address: "127.0.0.1", port: 25 },
      domains: ["alice.example"],
    })
    try {
      const box = home.box()
      await eventually("the tunnel is up", () => box.said().includes("tunnel up"))
      const up = performance.now()
      await eventually("all mail is at home", async () => (await postfix.mailbox()).length >= 3)
      process.stdout.write(
        `three mails were at home ${Math.round(performance.now() - up)} ms after the tunnel was up\n`,
      )
      const subjects = (await postfix.mailbox()).map((mail) => /^Subject: (.*)$/m.exec(mail)?.[1])
      expect(subjects).toHaveLength(3)
      expect(new Set(subjects)).toEqual(new Set(["one", "two", "three"]))
    } finally {
      await postfix.stop()
    }
  })
})

async function withProxyHeader(boxFile: string): Promise<void> {
  const written = await readFile(boxFile, "utf8")
  await writeFile(boxFile, written.replace('https: "127.0.0.1:443"', 'https: { to: "127.0.0.1:443", proxy: v2 }'))
}

/** Bob's other program: ends the visitors' TLS with a key of his own and reads, then asks the relay as a visitor would. */
async function standsInBetween(home: Household): Promise<void> {
  const bobs = await keyPair("alice.example")
  const at = (name: string) => join(home.folder, name)
  await writeFile(at("bob-key.pem"), bobs.key, { mode: 0o600 })
  await writeFile(at("bob-cert.pem"), bobs.cert)
  await writeFile(
    at("between.conf"),
    `daemon off; master_process off; pid ${at("between.pid")}; error_log stderr;
events {}
http {
  access_log off;
  server {
    listen ${publicAddress("relay")}:8443 ssl;
    ssl_certificate ${at("bob-cert.pem")};
    ssl_certificate_key ${at("bob-key.pem")};
    location / {
      proxy_pass https://${publicAddress("relay")}:443;
      proxy_ssl_server_name on;
      proxy_ssl_name alice.example;
    }
  }
}
`,
  )
  home.start("relay", "nginx", "-e", "stderr", "-c", at("between.conf"))
  const rules = [
    "add table ip between",
    "add chain ip between in { type nat hook prerouting priority -100 ; }",
    "add rule ip between in tcp dport 443 redirect to :8443",
  ]
  home.internet.run("relay", "nft", rules.join("\n"))
}

/** The web page of a router at home, which is nobody's business. */
async function plainWeb(folder: string): Promise<string> {
  const file = join(folder, "router.conf")
  await writeFile(
    file,
    `daemon off; master_process off; pid ${folder}/router.pid; error_log stderr;
events {}
http { access_log off; server { listen 127.0.0.1:8080; location / { return 200 "the router"; } } }
`,
  )
  return file
}
