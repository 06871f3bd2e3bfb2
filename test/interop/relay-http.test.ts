/** Two friends' plain web servers behind one port of `waypost relay`, told apart by Host: curl asks, a browser talks on. */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { runClient } from "../support/client.ts"
import { withJudges } from "../support/judge.ts"
import { startNginx } from "../support/nginx.ts"
import { scratchFolder } from "../support/program.ts"
import { startRelayProgram, type RelayProgram } from "../support/relay-program.ts"
import { startEcho } from "../support/websocket.ts"

withJudges(["nginx", "curl", "chromium"], () => {
  describe("Dave's nginx and Erin's WebSocket server behind one port", () => {
    const closing = new AsyncDisposableStack()
    let relay: RelayProgram
    let port: number

    beforeAll(async () => {
      const server = 'add_header Seen "$host $http_x_forwarded_for" always;'
      const dave = closing.use(await startNginx({ files: { "who.txt": "dave" }, server }))
      const erin = closing.use(await startEcho())
      relay = closing.use(
        await startRelayProgram(`
listeners:
  http: { bind: "127.0.0.1:0", protocol: http }
friends:
  dave:
    domains: [dave.example]
    routes:
      http: { mode: peer, to: "127.0.0.1:${dave.port}" }
  erin:
    domains: ["*.erin.example"]
    routes:
      http: { mode: peer, to: "127.0.0.1:${erin.port}" }
`),
      )
      port = relay.port("http")
    })
    afterAll(() => closing.disposeAsync())

    test("curl comes to Dave's nginx, which hears the true name and address, whatever the visitor claims", async () => {
      const { said } = await curl(port, "dave.example", "-H", "X-Forwarded-For: 192.0.2.66")
      expect(said).toMatch(/^HTTP\/1\.1 200 OK\r$/m)
      expect(said).toMatch(/^Seen: dave\.example 127\.0\.0\.9\r$/im)
      expect(said).toMatch(/\r\n\r\ndave$/)
    })

    test("a host that is nobody's gets 421 (RFC 9110 §15.5.20), and nobody's page", async () => {
      const { said } = await curl(port, "carol.example")
      expect(said).toMatch(/^HTTP\/1\.1 421 Misdirected Request\r$/m)
    })

    test("a browser opens a WebSocket to Erin's server and hears the answer", async () => {
      await using folder = await scratchFolder()
      const own = [
        `--user-data-dir=${folder.path}`,
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--no-proxy-server",
      ]
      const where = [`--host-resolver-rules=MAP *.erin.example 127.0.0.1`, `http://chat.erin.example:${port}/`]
      const { said } = await runClient("chromium", ["--headless", ...own, "--timeout=20000", "--dump-dom", ...where])
      expect(said).toContain("heard HELLO")
    })
  })
})

function curl(port: number, host: string, ...more: readonly string[]) {
  const where = ["--resolve", `${host}:${port}:127.0.0.1`, `http://${host}:${port}/who.txt`]
  return runClient("curl", ["-sSi", "--interface", "127.0.0.9", ...more, ...where])
}
