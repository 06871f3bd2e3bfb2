import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { request } from "node:http"
import { text } from "node:stream/consumers"
import type { IncomingMessage } from "node:http"
import { once } from "node:events"
import { ipAddress, type IpAddress } from "../../../src/names/ip-address.ts"
import { openAdmin, type Admin } from "../../../src/relay/admin.ts"

const loopback = ipAddress("127.0.0.1") as IpAddress

let admin: Admin

beforeEach(async () => {
  admin = await openAdmin(
    { address: loopback, port: 0 },
    {
      verdicts: () => [{ friend: "alice" }],
      traffic: () => [{ friend: "alice", connections: 2 }],
      metrics: async () => [
        {
          name: "waypost_connections_total",
          help: "Ended.",
          type: "counter",
          samples: [{ labels: { how: 'a"b' }, value: 3 }],
        },
      ],
    },
  )
})

afterEach(async () => {
  await admin[Symbol.asyncDispose]()
})

describe("the admin endpoint", () => {
  test.each([
    ["/health", 200, '{"status":"ok"}\n'],
    ["/traffic", 200, '[{"friend":"alice","connections":2}]\n'],
    ["/verdicts", 200, '[{"friend":"alice"}]\n'],
    [
      "/metrics",
      200,
      '# HELP waypost_connections_total Ended.\n# TYPE waypost_connections_total counter\nwaypost_connections_total{how="a\\"b"} 3\n',
    ],
    ["/", 404, "/health, /metrics, /traffic or /verdicts\n"],
  ])("answers %s with %d", async (path, status, body) => {
    expect(await ask({ path })).toEqual({ status, body })
  })

  test.each([
    ["127.0.0.1", 200],
    ["127.0.0.1:7080", 200],
    ["[::1]:7080", 200],
    ["[::1]", 200],
    ["localhost:7080", 200],
    ["evil.example", 403],
    ["evil.example:7080", 403],
  ])("asked as %j says %d, so no page of a stranger's name reads it", async (host, status) => {
    expect(await ask({ path: "/health", headers: { host } })).toMatchObject({ status })
  })

  test("changes nothing for anybody", async () => {
    expect(await ask({ path: "/health", method: "POST" })).toMatchObject({ status: 405 })
  })

  test("names the address when it cannot be bound", async () => {
    await expect(
      openAdmin(admin.bound, { verdicts: () => [], traffic: () => [], metrics: async () => [] }),
    ).rejects.toMatchObject({
      fault: { code: "BIND_REFUSED", detail: `admin: 127.0.0.1:${admin.bound.port} cannot be bound (EADDRINUSE)` },
    })
  })
})

async function ask(what: { path: string; method?: string; headers?: Record<string, string> }) {
  const asked = request({ host: "127.0.0.1", port: admin.bound.port, ...what }).end()
  const [response] = (await once(asked, "response")) as [IncomingMessage]
  return { status: response.statusCode, body: await text(response) }
}
