/** A relay and a box in one process: which way connections take home, and what happens to that way. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { createServer as createWebServer, request as secureRequest } from "node:https"
import { connect, createServer, type AddressInfo, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { systemClock } from "../../../src/clock/clock.ts"
import { startRelay, type Relay } from "../../../src/relay/relay.ts"
import { boxAtHome, type BoxAtHome, type HomeOptions } from "../../support/box-at-home.ts"
import { engines } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { keyPair } from "../../support/key-pair.ts"
import { keptLog } from "../../support/kept-log.ts"
import { freePort } from "../../support/program.ts"
import { testConfig } from "../../support/relay.ts"

describe.each(engines)("a box behind a relay on engine: $name", ({ start }) => {
  let folder: string
  let relay: Relay
  let home: BoxAtHome
  const servers: Server[] = []

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), "waypost-box-"))
  })
  afterEach(async () => {
    await home[Symbol.asyncDispose]()
    await relay.stop(0)
    for (const server of servers.splice(0)) server.close()
    await rm(folder, { recursive: true })
  })

  /** `attachAt`: the listener that the box can reach. */
  async function atHome(options: Partial<HomeOptions> = {}, attachAt: "tunnel" | "https" = "tunnel") {
    const [https, own, tunnel] = [await freePort(), await freePort(), await freePort()]
    const config = testConfig(
      `
listeners:
  https: { bind: ["127.0.0.1:${https}"], protocol: tls }
  own: { bind: ["127.0.0.1:${own}"], protocol: tcp, friend: alice }
  tunnel: { bind: ["127.0.0.1:${tunnel}"], protocol: tunnel }
friends:
  alice: { domains: [alice.example], routes: { https: { mode: dedicated, to: box }, own: { mode: dedicated, to: box } } }
`,
      folder,
    )
    const log = keptLog()
    relay = await startRelay(config, { clock: systemClock, log, engine: start(log) })
    const web = createWebServer(await keyPair("alice.example"), (_, response) => void response.end("Alice's page"))
    const echo = createServer({ allowHalfOpen: true }, (socket) => void socket.on("error", () => {}).pipe(socket))
    const services = { https: `127.0.0.1:${await listening(web)}`, own: `127.0.0.1:${await listening(echo)}` }
    home = await boxAtHome(config, "alice", { services, onlyPort: attachAt === "tunnel" ? tunnel : https, ...options })
    return { https, own, log }
  }

  async function listening(server: Server): Promise<number> {
    servers.push(server.listen(0, "127.0.0.1"))
    await once(server, "listening")
    return (server.address() as AddressInfo).port
  }

  /** Which way each connection came that has ended at home so far. */
  const ways = () => home.log.filter(({ event }) => event === "served").map(({ fields }) => fields["over"])
  const way = async () => eventually("a connection has ended at home", () => ways().at(-1))

  async function page(port: number): Promise<string> {
    const asked = secureRequest({
      host: "127.0.0.1",
      port,
      servername: "alice.example",
      rejectUnauthorized: false,
      agent: false,
    })
    asked.end()
    const [response] = (await once(asked, "response")) as [NodeJS.ReadableStream]
    return text(response)
  }

  async function echoed(port: number, said: string): Promise<string> {
    const socket = connect(port, "127.0.0.1")
    socket.end(said)
    return text(socket)
  }

  test("what is TLS end to end rides a carrier, as soon as one is ready", async () => {
    const { https } = await atHome()
    await eventually("a connection came over a carrier", async () => {
      expect(await page(https)).toBe("Alice's page")
      return ways().includes("carrier")
    })
  })

  test("what may be in the clear stays in the tunnel", async () => {
    const { own } = await atHome()
    expect(await echoed(own, "hello")).toBe("hello")
    expect(await way()).toBe("tunnel")
  })

  test("a box that wants no carriers gets everything through the tunnel", async () => {
    const { https } = await atHome({ carriers: false })
    for (let visits = 0; visits < 3; visits++) expect(await page(https)).toBe("Alice's page")
    expect(await way()).toBe("tunnel")
    expect(ways()).not.toContain("carrier")
  })

  test("more visitors at once than carriers are all served", async () => {
    const { https } = await atHome()
    const pages = await Promise.all(Array.from({ length: 40 }, () => page(https)))
    expect(new Set(pages)).toEqual(new Set(["Alice's page"]))
  })

  test("a box attaches beside the visitors where the tunnel's port is out of reach, its carriers too", async () => {
    const { https } = await atHome({}, "https")
    await eventually("a connection came over a carrier", async () => {
      expect(await page(https)).toBe("Alice's page")
      return ways().includes("carrier")
    })
  })

  test("the box's first visit to its own name finds its own key", async () => {
    await atHome({ dice: () => 0 })
    const found = await eventually("it has visited", () => home.box.status()[0]?.probe)
    expect(found).toMatchObject({ kind: "same-key", name: "alice.example" })
  })
})
