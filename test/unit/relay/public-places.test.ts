import { expect, test } from "@jest/globals"
import { readConfig } from "../../../src/config/read-config.ts"
import { entrancesOf, publicPlaces } from "../../../src/relay/public-places.ts"

function config(text: string) {
  const read = readConfig(`relay: { name: relay.bob.example, state: ./state }\n${text}`, "/relay/relay.yaml")
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  return read.config
}

const whole = config(`
listeners:
  https: { bind: ["0.0.0.0:443", "[::]:443", "192.0.2.1:8443"], protocol: tls }
  imaps: { bind: ["192.0.2.1:993"], protocol: tls }
  smtp: { bind: ["0.0.0.0:25"], protocol: smtp }
  tunnel: { bind: ["127.0.0.1:0", "0.0.0.0:7443"], protocol: tunnel }
friends:
  alice:
    domains: [alice.example, "*.alice.example"]
    routes:
      https: { mode: dedicated, to: box }
      smtp: { mode: peer, to: box }
      imaps: { mode: dedicated, to: "10.0.0.5:993" }
`)

test("a listener is reached at the addresses that it names, each once, and not at a port of chance", () => {
  expect(publicPlaces(whole, "tls")).toEqual([
    { host: undefined, port: 443 },
    { host: "192.0.2.1", port: 8443 },
    { host: "192.0.2.1", port: 993 },
  ])
  expect(publicPlaces(whole, "tunnel")).toEqual([{ host: undefined, port: 7443 }])
})

test("entrances are those of dedicated TLS routes that lead to the box", () => {
  const names = ["alice.example", "*.alice.example"]
  expect(entrancesOf(whole, "alice")).toEqual([
    { service: "https", names, host: undefined, port: 443 },
    { service: "https", names, host: "192.0.2.1", port: 8443 },
  ])
  expect(entrancesOf(whole, "nobody")).toEqual([])
})
