/**
 * Content that two servers could read in two ways, sent to `waypost relay` and to two judges in its place, nginx and
 * HAProxy: what either of them refuses, the relay refuses, with an answer; and no hidden request reaches the backend.
 */
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals"
import { startHaproxy } from "../support/haproxy.ts"
import { withJudges } from "../support/judge.ts"
import { startNginx } from "../support/nginx.ts"
import { startRelayProgram } from "../support/relay-program.ts"
import { rawBackend, say } from "../support/web.ts"

const HIDDEN = "GET /hidden HTTP/1.1\r\nHost: dave.example\r\n\r\n"
const CHUNKED = "Transfer-Encoding: chunked\r\n\r\n"

const ATTACKS = [
  ["a chunk size that is too long to count", `${CHUNKED}fffffffffffffffff\r\n${HIDDEN}`],
  ["a negative chunk size", `${CHUNKED}-1\r\n${HIDDEN}`],
  ["a chunk size with a prefix", `${CHUNKED}0x1\r\na\r\n0\r\n\r\n${HIDDEN}`],
  ["a chunk that goes on behind its size", `${CHUNKED}1\r\nab\r\n0\r\n\r\n${HIDDEN}`],
  ["two lengths", `Content-Length: 0\r\nContent-Length: ${HIDDEN.length}\r\n\r\n${HIDDEN}`],
  ["a length that is none", `Content-Length: +${HIDDEN.length}\r\n\r\n${HIDDEN}`],
  ["a coding that is none", `Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${HIDDEN}`],
] as const

withJudges(["nginx", "haproxy"], () => {
  describe("content that can be read in two ways", () => {
    const closing = new AsyncDisposableStack()
    const ports: Record<"waypost" | "nginx" | "haproxy", number> = { waypost: 0, nginx: 0, haproxy: 0 }
    let dave: Awaited<ReturnType<typeof rawBackend>>

    beforeAll(async () => {
      dave = closing.use(await rawBackend(() => undefined))
      const to = `127.0.0.1:${dave.port}`
      const server = `location /to/ { proxy_pass http://${to}; proxy_http_version 1.1; proxy_request_buffering off; }`
      ports.nginx = closing.use(await startNginx({ server })).port
      ports.haproxy = closing.use(await startHaproxy(to, "", "http")).port
      const relay = closing.use(
        await startRelayProgram(`
listeners: { http: { bind: "127.0.0.1:0", protocol: http } }
friends: { dave: { domains: [dave.example], routes: { http: { mode: peer, to: "${to}" } } } }
`),
      )
      ports.waypost = relay.port("http")
    })
    afterAll(() => closing.disposeAsync())

    test.each(ATTACKS)("%s", async (_, rest) => {
      const request = `POST /to/ HTTP/1.1\r\nHost: dave.example\r\n${rest}`
      const answered = (heard: string) => heard.includes("\r\n\r\n")
      const [waypost, nginx, haproxy] = await Promise.all(
        [ports.waypost, ports.nginx, ports.haproxy].map((port) => say(port, request, answered)),
      )
      expect([nginx, haproxy].map(status)).toContain("400")
      expect(["400", "501"]).toContain(status(waypost))
      expect(waypost).toMatch(/\r\nConnection: close\r\n/)
      expect(waypost?.match(/HTTP\/1\.1 /g)).toHaveLength(1)
      expect(dave.heard()).not.toContain("GET /hidden")
    })
  })
})

function status(heard = ""): string | undefined {
  return /^HTTP\/1\.\d (\d{3})/.exec(heard)?.[1]
}
