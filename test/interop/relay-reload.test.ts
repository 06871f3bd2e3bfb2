/** `waypost relay` takes its file in anew in the middle of a download: that goes on, and who comes later goes elsewhere. */
import { randomBytes } from "node:crypto"
import { once } from "node:events"
import { readFile, writeFile } from "node:fs/promises"
import type { IncomingMessage } from "node:http"
import { get } from "node:https"
import { join } from "node:path"
import { buffer } from "node:stream/consumers"
import { expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { keyPair } from "../support/key-pair.ts"
import { startNginx } from "../support/nginx.ts"
import { scratchFolder } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"

const FILE_BYTES = 50_000_000

withJudges(["nginx", "curl"], () => {
  test("a download is whole, although Alice has moved and Dave has come meanwhile", async () => {
    await using folder = await scratchFolder()
    const tls = await keyPair("alice.example", "dave.example")
    const file = randomBytes(FILE_BYTES)
    await using before = await startNginx({ listen: "ssl", tls, files: { "file.bin": file, "who.txt": "before" } })
    await using after = await startNginx({ listen: "ssl", tls, files: { "who.txt": "after" } })
    await using relay = await startRelayProgram(leading({ alice: before.port }), { folder: folder.path })
    const port = relay.port("https")
    // Read no further until we say so: more is under way than all buffers between the two can hold.
    const asking = get({
      host: "127.0.0.1",
      port,
      servername: "alice.example",
      rejectUnauthorized: false,
      agent: false,
      path: "/file.bin",
    })
    const [download] = (await once(asking, "response")) as [IncomingMessage] // the event's own signature

    const config = join(folder.path, "relay.yaml")
    const [head] = (await readFile(config, "utf8")).split("listeners:")
    await writeFile(config, `${head}${leading({ alice: after.port, dave: after.port })}`)
    process.kill(relay.pid, "SIGHUP")
    await relay.logged("reloaded")
    for (const name of ["alice.example", "dave.example"]) {
      expect(await curl(name, port, "/who.txt")).toMatchObject({ said: "after" })
    }
    expect((await buffer(download)).equals(file)).toBe(true)
  })
})

/** Port 0 asked for again is the same port. */
function leading(friends: Readonly<Record<string, number>>): string {
  const routes = Object.entries(friends).map(
    ([name, port]) => `
  ${name}:
    domains: [${name}.example]
    routes:
      https: { mode: dedicated, to: "127.0.0.1:${port}" }`,
  )
  return `listeners:
  https: { bind: "127.0.0.1:0", protocol: tls }
friends:${routes.join("")}
`
}

function curl(name: string, port: number, path: string) {
  return runClient("curl", ["-sSk", "--resolve", `${name}:${port}:127.0.0.1`, `https://${name}:${port}${path}`])
}
