/** Who calls at Bob's relay reaches Alice's box behind her NAT: curl, a browser, OpenSSH and Postfix, and the box knows who calls. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { execFileSync } from "node:child_process"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { household, nginxText, relayText, type Household } from "../support/household.ts"
import { missing } from "../support/installed.ts"
import { keyPair, spkiSha256, type KeyPair } from "../support/key-pair.ts"
import { publicAddress, whyNoNamespaces } from "../support/namespaces.ts"
import { startPostfix, type Postfix } from "../support/postfix.ts"
import { eventually } from "../support/eventually.ts"

const why = whyNoNamespaces() ?? missing("chromium", "curl", "nginx", "ssh", "sshd", "swaks", "postfix")
if (why !== undefined) process.stderr.write(`SKIPPED: ${why}\n`)

const RELAY = relayText({
  listeners: `
  ssh: { bind: ["AT:2222"], protocol: tcp, friend: alice }
  smtp: { bind: ["AT:25"], protocol: smtp }
`,
  routes: `
      ssh: { mode: dedicated, to: box }
      smtp: { mode: peer, to: box }
`,
})

;(why === undefined ? describe : describe.skip)(`Alice's box behind NAT${why ? ` (SKIPPED: ${why})` : ""}`, () => {
  let home: Household
  let joined: string
  let alice: KeyPair

  beforeAll(async () => {
    home = await household()
    alice = await keyPair("alice.example")
    home.start("box", "nginx", "-e", "stderr", "-c", await nginxText(home.folder, alice))
    await home.relay("relay", RELAY)
    const serve = ["https=127.0.0.1:443", "ssh=127.0.0.1:22", "smtp=127.0.0.1:25"]
    joined = await home.join("relay", ...serve.flatMap((service) => ["--serve", service]))
    const written = await readFile(home.boxFile, "utf8")
    await writeFile(
      home.boxFile,
      written.replace('https: "127.0.0.1:443"', 'https: { to: "127.0.0.1:443", proxy: v2 }'),
    )
    const box = home.box()
    await eventually("the tunnel is up", () => box.said().includes("tunnel up"))
  })
  afterAll(async () => home[Symbol.asyncDispose]())

  const visitor = (command: string, ...args: readonly string[]) => home.internet.run("visitor", command, ...args)

  test("join tells Alice what to publish and what Bob can read", () => {
    expect(joined).toContain("alice.example.  the addresses of relay.bob.example")
    expect(joined).toContain("alice.example.  MX 10 relay.bob.example.")
    expect(joined).toContain("https (dedicated): the relay's operator cannot read it")
    expect(joined).toContain("smtp (peer mail): the relay's operator can read it")
  })

  test("nothing at home can be reached from outside but through the relay", () => {
    expect(() => visitor("curl", "-s", "-m", "2", `https://${publicAddress("home")}/`)).toThrow()
    expect(() => visitor("curl", "-s", "-m", "2", "https://192.168.7.2/")).toThrow()
  })

  test("curl gets the page with the box's own certificate, and the box knows the visitor's address", async () => {
    const ca = join(home.folder, "web-cert.pem")
    const to = `alice.example:443:${publicAddress("relay")}`
    const page = visitor("curl", "-sS", "--cacert", ca, "--resolve", to, "https://alice.example/")
    expect(page).toBe(`Alice's page for ${publicAddress("visitor")}\n`)
  })

  test("a browser agrees on HTTP/2 with the server at home, which knows the browser's address", () => {
    const pin = Buffer.from(spkiSha256(alice), "hex").toString("base64")
    const chromium = [
      "60",
      "chromium",
      "--headless",
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
    ]
    const quiet = [
      "--no-proxy-server",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ]
    const own = [`--user-data-dir=${join(home.folder, "chromium")}`, `--ignore-certificate-errors-spki-list=${pin}`]
    const where = [`--host-resolver-rules=MAP alice.example ${publicAddress("relay")}`, "https://alice.example/how"]
    const page = visitor("timeout", ...chromium, ...quiet, ...own, "--timeout=20000", "--dump-dom", ...where)
    expect(page).toContain(`${publicAddress("visitor")} came by HTTP/2.0`)
  })

  test("OpenSSH logs in through the tunnel and ends with the far command's status", async () => {
    const at = (name: string) => join(home.folder, name)
    for (const name of ["host-key", "alice-key"])
      execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-f", at(name)])
    execFileSync("mkdir", ["-p", "/run/sshd"])
    await writeFile(
      at("sshd_config"),
      `ListenAddress 127.0.0.1:22\nHostKey ${at("host-key")}\nAuthorizedKeysFile ${at("alice-key.pub")}\nStrictModes no\nUsePAM no\nPidFile none\n`,
    )
    const sshd = home.start("box", "/usr/sbin/sshd", "-D", "-e", "-f", at("sshd_config"))
    await eventually("sshd listens", () => sshd.said().includes("Server listening"))
    const options = ["BatchMode=yes", "StrictHostKeyChecking=no", `UserKnownHostsFile=${at("known")}`, "LogLevel=ERROR"]
    const ssh = ["-p", "2222", "-i", at("alice-key"), ...options.flatMap((option) => ["-o", option])]
    const said = visitor("ssh", ...ssh, `root@${publicAddress("relay")}`, "head -c 1000000 /dev/zero | wc -c; hostname")
    expect(said).toMatch(/^1000000\n/)
  })

  describe("mail", () => {
    let postfix: Postfix
    beforeAll(async () => {
      const [, ...netns] = home.internet.on("box", "").slice(0, -1)
      postfix = await startPostfix({
        within: ["ip", ...netns],
        listen: { address: "127.0.0.1", port: 25 },
        domains: ["alice.example"],
      })
    })
    afterAll(() => postfix.stop())

    test("a stranger's mail reaches Postfix at home", async () => {
      const to = ["--server", publicAddress("relay"), "--to", "me@alice.example", "--from", "carol@carol.example"]
      visitor("swaks", ...to, "--header", "Subject: Meet me at noon")
      await eventually("Postfix has the mail", async () => (await postfix.mailbox()).length === 1)
      expect((await postfix.mailbox())[0]).toContain("Subject: Meet me at noon")
    })
  })
})
