import { expect, test } from "@jest/globals"
import { boxConfigText, readBoxConfig } from "../../../src/config/box-config.ts"
import { endpointText } from "../../../src/names/endpoint.ts"

const key = "K".repeat(43)
const whole = `
promise: sealed
relays:
  bob: { at: "relay.bob.example:7443", key: ${key} }
  dora: { at: ["[2001:db8::1]:443", "192.0.2.1:443"], key: ${key} }
services:
  https: { to: "127.0.0.1:443", proxy: v2 }
  smtp: "127.0.0.1:25"
`

test("a box's file is read: relays, services, promise, and the state folder from where the file is", () => {
  const read = readBoxConfig(whole, "/etc/waypost/box.yaml")
  expect(read).toMatchObject({
    kind: "config",
    config: {
      state: "/etc/waypost/box-state",
      promise: "sealed",
      relays: [
        { name: "bob", at: [{ host: "relay.bob.example", port: 7443 }], key },
        { name: "dora", at: [{ host: "2001:db8::1" }, { host: "192.0.2.1" }] },
      ],
    },
  })
  const services = read.kind === "config" ? [...read.config.services] : []
  expect(services).toEqual([
    ["https", { to: { host: "127.0.0.1", port: 443 }, proxy: "v2", probe: true }],
    ["smtp", { to: { host: "127.0.0.1", port: 25 }, proxy: "none", probe: true }],
  ])
})

test("what join writes is read back as what was meant", () => {
  const read = readBoxConfig(whole, "/box/box.yaml")
  if (read.kind !== "config") throw new Error("it was read above")
  expect(readBoxConfig(boxConfigText(read.config, endpointText), "/box/box.yaml")).toEqual(read)
})

test("all faults are told at once, each at its place", () => {
  const text = `
promise: seeled
relays:
  bob: { at: "relay.bob.example", key: short }
services:
  https: "443"
`
  const read = readBoxConfig(text, "box.yaml")
  const told = read.kind === "faults" ? read.faults.map(({ line, wrong, right }) => `${line}: ${wrong}; ${right}`) : []
  expect(told).toEqual([
    '2: promise is "seeled"; did you mean sealed?',
    '4: "relay.bob.example" is not a host with a port; host and port, as in "relay.bob.example:7443", or a list of them',
    '4: "short" is not a relay\'s key; the 43 characters behind # in the invitation',
    '6: "443" is not a host with a port; where the service listens at home, as in "127.0.0.1:443" or { to: "127.0.0.1:443", proxy: v2 }',
  ])
})

test("an outgoing port is an address with a port, and a login is whole or not there", () => {
  const outgoing = (text: string) => readBoxConfig(`${whole}outgoing: ${text}\n`, "box.yaml")
  expect(outgoing('{ listen: "127.0.0.1:1025" }')).toMatchObject({
    kind: "config",
    config: { outgoing: { listen: { address: "127.0.0.1", port: 1025 }, login: undefined } },
  })
  expect(outgoing('{ listen: "[::1]:1025", user: alice, password: "over-the-hills" }')).toMatchObject({
    config: { outgoing: { login: { user: "alice", password: "over-the-hills" } } },
  })
  const wrong = (text: string) => {
    const read = outgoing(text)
    return read.kind === "faults" ? read.faults.map((one) => one.wrong) : []
  }
  expect(wrong('{ listen: "localhost:1025" }')).toEqual(['"localhost:1025" is not an address with a port'])
  expect(wrong('{ listen: "127.0.0.1:1025", user: alice }')).toEqual(["user and password go together"])
  expect(wrong('{ listen: "127.0.0.1:1025", user: "a:b", password: x }')).toEqual(['"a:b" is not a user or password'])
})

test("a box without relays has nothing to do, and is told how to get one", () => {
  expect(readBoxConfig("relays: {}", "box.yaml")).toMatchObject({
    kind: "faults",
    faults: [{ wrong: "no relay is listed", right: "at least one: `waypost join` adds it" }],
  })
})
