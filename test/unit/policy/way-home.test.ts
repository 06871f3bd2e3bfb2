import { expect, test } from "@jest/globals"
import { wayHomeSentence } from "../../../src/policy/sentences.ts"
import { wayHome, type WayHome } from "../../../src/policy/way-home.ts"
import { routesOf } from "../../../src/config/config.ts"
import { groundOf } from "../../support/ground.ts"

const { config } = groundOf(`
relay: { name: relay.bob.example, state: ./state }
listeners:
  https: { bind: ["0.0.0.0:443"], protocol: tls }
  smtp: { bind: ["0.0.0.0:25"], protocol: smtp }
  http: { bind: ["0.0.0.0:80"], protocol: http }
  ssh: { bind: ["0.0.0.0:2222"], protocol: tcp, friend: alice }
  tunnel: { bind: ["0.0.0.0:7443"], protocol: tunnel }
friends:
  alice:
    domains: [alice.example]
    routes:
      https: { mode: dedicated, to: box }
      smtp: { mode: peer, to: box }
      ssh: { mode: dedicated, to: "192.0.2.5:22" }
  dave:
    domains: [dave.example]
    routes:
      https: { mode: dedicated, to: "192.0.2.9:443" }
      smtp: { mode: peer, to: "192.0.2.9:25" }
      http: { mode: peer, to: "192.0.2.9:80" }
  erin:
    domains: [erin.example]
    routes: { smtp: { mode: peer, to: "192.0.2.8:25", tls: verify } }
`)

test.each<[string, WayHome]>([
  ["alice/https", "as-without-a-relay"],
  ["alice/smtp", "inside-the-tunnel"],
  ["alice/ssh", "as-the-visitor-sent-it"],
  ["dave/https", "as-without-a-relay"],
  ["dave/smtp", "own-tls-if-offered"],
  ["dave/http", "in-the-clear"],
  ["erin/smtp", "own-tls"],
])("on the way home %s is seen: %s", (name, way) => {
  const route = routesOf(config).find(({ friend, listener }) => `${friend}/${listener}` === name)
  expect(route && wayHome(route)).toBe(way)
})

test("it reads as a sentence", () => {
  expect(wayHomeSentence("inside-the-tunnel", { operator: "Bob", owner: "Alice" })).toBe(
    "Whoever is between Bob's relay and Alice's box sees sizes and times alone, because it passes inside the tunnel's TLS.",
  )
})
