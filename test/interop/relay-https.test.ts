/** Two friends' web servers behind one port of `waypost relay`, told apart by SNI: curl and OpenSSL judge. */
import { createHash, randomBytes } from "node:crypto"
import { createReadStream } from "node:fs"
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { pipeline } from "node:stream/promises"
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair, type KeyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { scratchFolder } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"

const FILE_BYTES = 50_000_000

withJudges(["nginx", "curl", "openssl"], () => {
  describe("Alice's and Dave's nginx behind one port", () => {
    const closing = new AsyncDisposableStack()
    const file = randomBytes(FILE_BYTES)
    let pairs: { readonly alice: KeyPair; readonly dave: KeyPair }
    let relay: RelayProgram
    let port: number

    beforeAll(async () => {
      pairs = { alice: await keyPair("www.alice.example"), dave: await keyPair("dave.example") }
      const alice = closing.use(
        await startNginx({ listen: "ssl http2", tls: pairs.alice, files: { "who.txt": "alice", "file.bin": file } }),
      )
      const dave = closing.use(await startNginx({ listen: "ssl", tls: pairs.dave, files: { "who.txt": "dave" } }))
      relay = closing.use(
        await startRelayProgram(`
listeners:
  https: { bind: "127.0.0.1:0", protocol: tls }
  http: { bind: "127.0.0.1:0", protocol: http }
friends:
  alice:
    promise: sealed
    domains: ["*.alice.example"]
    routes:
      https: { mode: dedicated, to: "127.0.0.1:${alice.port}" }
  dave:
    domains: [dave.example]
    routes:
      https: { mode: dedicated, to: "127.0.0.1:${dave.port}" }
`),
      )
      port = relay.port("https")
    })
    afterAll(() => closing.disposeAsync())

    test.each([
      ["alice", "www.alice.example"],
      ["dave", "dave.example"],
    ] as const)("openssl and curl come to %s by the name %s, and see that key", async (friend, name) => {
      const { said } = await openssl(port, "-servername", name)
      expect(said).toContain(pairs[friend].cert.trim())
      await using folder = await scratchFolder()
      const answer = await curl(folder.path, name, port, pairs[friend], "/who.txt", "-sS")
      expect(answer).toMatchObject({ exitCode: 0, said: friend })
    })

    test.each([
      ["a name that is nobody's", ["-servername", "erin.example"]],
      ["a name two labels below", ["-servername", "a.b.alice.example"]],
      ["no name", ["-noservername"]],
    ])("%s gets the alert, and no certificate", async (_what, asking) => {
      const { said } = await openssl(port, ...asking)
      expect(said).toMatch(/unrecognized name:.*SSL alert number 112/)
      expect(said).toContain("no peer certificate available")
    })

    test("a download of 50 MB over HTTP/2 and over HTTP/1.1 is whole", async () => {
      await using folder = await scratchFolder()
      for (const version of ["--http2", "--http1.1"]) {
        const to = join(folder.path, "file.bin")
        const more = ["-sS", version, "-o", to, "-w", "%{http_version}"]
        const run = await curl(folder.path, "www.alice.example", port, pairs.alice, "/file.bin", ...more)
        expect(run).toMatchObject({ exitCode: 0, said: version === "--http2" ? "2" : "1.1" })
        expect(await sha256(to)).toBe(createHash("sha256").update(file).digest("hex"))
      }
    })

    test("40 downloads at once are whole", async () => {
      await using folder = await scratchFolder()
      const names = Array.from({ length: 40 }, (_, at) => (at % 2 ? "dave" : "alice") as keyof typeof pairs)
      const runs = await Promise.all(
        names.map((friend) => {
          const name = friend === "alice" ? "www.alice.example" : "dave.example"
          return curl(folder.path, name, port, pairs[friend], "/who.txt", "-sS")
        }),
      )
      expect(runs.map(({ said }) => said)).toEqual(names)
    })
  })
})

function openssl(port: number, ...asking: readonly string[]) {
  return runClient("openssl", ["s_client", ...asking, "-connect", `127.0.0.1:${port}`])
}

/** It trusts this key and no other. */
async function curl(folder: string, name: string, port: number, { cert }: KeyPair, ...rest: readonly string[]) {
  const [path = "/", ...more] = rest
  const trusted = join(folder, `${name}.pem`)
  await writeFile(trusted, cert)
  const to = ["--resolve", `${name}:${port}:127.0.0.1`, "--cacert", trusted]
  return runClient("curl", [...to, ...more, `https://${name}:${port}${path}`])
}

async function sha256(file: string): Promise<string> {
  const hash = createHash("sha256")
  await pipeline(createReadStream(file), hash)
  return hash.digest("hex")
}
