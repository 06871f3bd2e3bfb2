/** What the ends see of a whole relay between them: nothing of its own, and the visitor's true address where asked for. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { freePort, scratchFolder, startProgram } from "../support/program.ts"
import { testRelay } from "../support/relay.ts"

const NAME = "alice.example"

withJudges(["nginx", "haproxy", "curl"], () => {
  test("the box sees the visitor's address through HAProxy and the relay", async () => {
    await using alice = await startNginx({
      listen: "ssl proxy_protocol",
      tls: await keyPair(NAME),
      files: { "who.txt": "alice" },
    })
    await using bob = await testRelay(`
listeners: { https: { bind: ["127.0.0.1:0"], protocol: tls, accept-proxy: [127.0.0.1] } }
friends:
  alice: { domains: [${NAME}], routes: { https: { mode: dedicated, to: "127.0.0.1:${alice.port}", proxy: v2 } } }`)
    await using folder = await scratchFolder()
    const front = await freePort()
    await writeFile(join(folder.path, "haproxy.cfg"), haproxyConfiguration(front, bob.at("https").port))
    await using _front = await startProgram("haproxy", ["-db", "-f", join(folder.path, "haproxy.cfg")], front)

    const where = ["--resolve", `${NAME}:${front}:127.0.0.1`, `https://${NAME}:${front}/who.txt`]
    const { said } = await runClient("curl", ["-sSk", "--interface", "127.0.0.8", ...where])
    expect(said).toBe("alice")
    expect(await alice.requests()).toEqual(["127.0.0.1 127.0.0.8 /who.txt"])
  })
})

withJudges(["nginx", "sslscan"], () => {
  test("sslscan finds no difference between the box and the box through the relay", async () => {
    await using alice = await startNginx({
      listen: "ssl http2",
      tls: await keyPair(NAME),
      server: "ssl_protocols TLSv1.2 TLSv1.3;",
    })
    await using bob = await testRelay(`
listeners: { https: { bind: ["127.0.0.1:0"], protocol: tls } }
friends:
  alice: { domains: [${NAME}], routes: { https: { mode: dedicated, to: "127.0.0.1:${alice.port}" } } }`)
    const direct = await scan(alice.port)
    expect(direct).toMatch(/TLSv1\.3 +enabled/)
    expect(await scan(bob.at("https").port)).toBe(direct)
  })
})

function haproxyConfiguration(port: number, relayPort: number): string {
  return `defaults
  mode tcp
  timeout client 60s
  timeout server 60s
  timeout connect 60s
listen front
  bind 127.0.0.1:${port}
  server relay 127.0.0.1:${relayPort} send-proxy-v2
`
}

async function scan(port: number): Promise<string> {
  const options = ["--no-colour", `--sni-name=${NAME}`, "--show-certificate"]
  const { said } = await runClient("sslscan", [...options, `127.0.0.1:${port}`])
  return said.replaceAll(`${port}`, "PORT")
}
