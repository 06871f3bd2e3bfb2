import { afterEach, expect, test } from "@jest/globals"
import { once } from "node:events"
import { createServer as createTcpServer, type AddressInfo, type Server } from "node:net"
import { createServer as createTlsServer } from "node:tls"
import type { RelayShows } from "../../../src/box/accept-verdicts.ts"
import {
  describeProbe,
  keepProbing,
  probeSelf,
  targetsAt,
  type Probed,
  type ProbeState,
  type Target,
} from "../../../src/box/self-probe.ts"
import { systemClock } from "../../../src/clock/clock.ts"
import type { BoxService } from "../../../src/config/box-config.ts"
import { endpoint, type Endpoint } from "../../../src/names/endpoint.ts"
import { hostname, type Hostname } from "../../../src/names/hostname.ts"
import type { Pin } from "../../../src/tunnel/pin.ts"
import { handClock } from "../../support/hand-clock.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"

const alice = hostname("alice.example") as Hostname
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listening(server: Server): Promise<Endpoint> {
  servers.push(server.listen(0, "127.0.0.1"))
  await once(server, "listening")
  return endpoint(`127.0.0.1:${(server.address() as AddressInfo).port}`) as Endpoint
}

const shows = (pair: KeyPair) => listening(createTlsServer(pair, (socket) => socket.on("error", () => {}).end()))
const homeAt = (to: Endpoint): BoxService => ({ to, proxy: "none", probe: true })

test("the same key at home and outside", async () => {
  const own = await shows(await keyPair("alice.example"))
  const probed = await probeSelf({ name: alice, entrance: own, home: homeAt(own) }, systemClock)
  expect(probed).toEqual({ kind: "same-key", name: alice })
})

test("a certificate for the same name with another key is told from the own one", async () => {
  const [own, forged] = [await keyPair("alice.example"), await keyPair("alice.example")]
  const target = { name: alice, entrance: await shows(forged), home: homeAt(await shows(own)) }
  const probed = await probeSelf(target, systemClock)
  expect(probed).toMatchObject({ kind: "another-key", name: alice })
})

test("whoever does not speak TLS, or is not there, shows nothing", async () => {
  const own = await shows(await keyPair("alice.example"))
  const plain = await listening(
    createTcpServer(
      (socket) =>
        void socket
          .on("error", () => {})
          .resume()
          .end("HTTP/1.1 400\r\n\r\n"),
    ),
  )
  for (const entrance of [plain, endpoint("127.0.0.1:1") as Endpoint]) {
    expect(await probeSelf({ name: alice, entrance, home: homeAt(own) }, systemClock)).toMatchObject({
      kind: "unknown",
    })
  }
})

test("what can be probed are the names of services that are served here, not those that say no, and nothing on the box's own network", () => {
  const to = endpoint("127.0.0.1:443") as Endpoint
  const entrances = [
    { service: "https", names: ["alice.example", "*.alice.example"], port: 443 },
    { service: "imaps", names: ["alice.example"], port: 993 },
    { service: "https", names: ["alice.example"], host: "192.168.1.1", port: 80 },
    { service: "https", names: ["mail.alice.example"], host: "8.8.4.4", port: 443 },
    { service: "smtps", names: ["alice.example"], port: 465 },
  ]
  const relayShows: RelayShows = { relay: "relay.bob.example", domains: [], verdicts: [], seals: [], entrances }
  const services = new Map([
    ["https", homeAt(to)],
    ["imaps", { ...homeAt(to), probe: false }],
  ])
  const found = targetsAt(endpoint("198.51.100.10:7443") as Endpoint, relayShows, services)
  expect(found.map(({ name, entrance }) => [name, entrance])).toEqual([
    ["alice.example", { host: "198.51.100.10", port: 443 }],
    ["www.alice.example", { host: "198.51.100.10", port: 443 }],
    ["mail.alice.example", { host: "8.8.4.4", port: 443 }],
  ])
})

const target: Target = {
  name: alice,
  entrance: endpoint("198.51.100.10:443") as Endpoint,
  home: homeAt(endpoint("127.0.0.1:443") as Endpoint),
}
const same: Probed = { kind: "same-key", name: alice }
const other: Probed = { kind: "another-key", name: alice, shown: "theirs" as Pin, own: "ours" as Pin }

/** Probes that find what is listed, one after the other. */
function probing(...finds: readonly Probed[]) {
  const clock = handClock()
  const left = [...finds]
  const told: ProbeState[] = []
  const stop = keepProbing({
    targets: () => [target],
    probe: async () => left.shift() ?? same,
    clock,
    dice: () => 0.999,
    probed: (state) => told.push(state),
  })
  return { clock, told, stop, left }
}

test("it looks soon after the box has attached, and again and again", async () => {
  const { clock, told, stop } = probing(same, same, same)
  await clock.turn(10_000)
  expect(told).toMatchObject([same])
  await clock.turn(15 * 60_000)
  expect(told).toMatchObject([same, same])
  stop()
  await clock.turn(3_600_000)
  expect(told).toHaveLength(2)
})

test("a difference that is gone at a second look was a certificate being renewed", async () => {
  const { clock, told } = probing(other, same)
  await clock.turn(20_000)
  expect(told).toMatchObject([same])
})

test("a difference that stays is told, and ends the probing", async () => {
  const { clock, told } = probing(other, other, other)
  await clock.turn(20_000)
  expect(told).toMatchObject([other])
  await clock.turn(3_600_000)
  expect(told).toHaveLength(1)
})

test("what it found reads as a sentence", () => {
  const at = Date.UTC(2026, 10, 21)
  expect(describeProbe(undefined)).toBe("not probed yet")
  expect(describeProbe({ ...same, at })).toBe(
    "visitors of alice.example were shown this box's key (2026-11-21T00:00:00.000Z)",
  )
  expect(describeProbe({ ...other, at })).toContain("another key than this box's")
  expect(describeProbe({ kind: "unknown", name: alice, why: "connection refused", at })).toContain(
    "not probed: connection refused",
  )
})
