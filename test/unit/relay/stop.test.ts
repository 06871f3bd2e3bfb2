import { describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { connect, type Socket } from "node:net"
import { join } from "node:path"
import { attachedBox } from "../../support/attached-box.ts"
import { backend } from "../../support/backend.ts"
import { engineKinds } from "../../support/engines.ts"
import { eventually } from "../../support/eventually.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { startRelayProgram } from "../../support/relay-program.ts"
import { silentNetwork } from "../../support/silent-network.ts"
import { startWaypost } from "../../support/waypost.ts"

/** More than all buffers on the way hold. */
const FLOOD_BYTES = 64 * 1024 * 1024

/** Both engines, and each of them with the same relay: what is under way may take a tenth of a second. */
describe.each(engineKinds)("a relay that is told to stop (%s engine)", (engine) => {
  test("ends, also where the network of a box with open streams has gone silent", async () => {
    await using scratch = await scratchFolder()
    await using bob = await startRelayProgram(await configuration(), { engine, folder: scratch.path })
    await using network = await silentNetwork(bob.port("tunnel"))
    const service = await backend()
    await using alice = await attachedBox(scratch.path, network.port, service.at.port)
    await bob.logged("box attached")
    await using visitors = new Visitors()
    await visitors.come(bob.port("ssh"))
    await visitors.come(bob.port("web"))
    await service.accepted(1)
    network.fallSilent()
    expect(alice.status()).toMatchObject([{ link: { at: "up" } }]) // neither end knows yet
    await bob.stop() // rejects unless it ends by itself, with 0
    await service.close()
  })

  test("ends, also where nobody reads what is carried", async () => {
    await using scratch = await scratchFolder()
    const flood = await backend((peer) => peer.finish(Buffer.alloc(FLOOD_BYTES)))
    const text = `
listeners: { own: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice } }
friends: { alice: { routes: { own: { mode: dedicated, to: "127.0.0.1:${flood.at.port}" } } } }
limits: { drain-deadline: 100ms }`
    await using bob = await startRelayProgram(text, { engine, folder: scratch.path })
    await using visitors = new Visitors()
    await visitors.come(bob.port("own"))
    await flood.accepted()
    await bob.stop()
    await flood.close()
  })

  test("ends, also where senders, browsers and strangers have said nothing yet", async () => {
    await using scratch = await scratchFolder()
    await using bob = await startRelayProgram(await configuration(), { engine, folder: scratch.path })
    await using visitors = new Visitors()
    for (const listener of ["smtp", "http", "tunnel", "https"]) await visitors.come(bob.port(listener))
    await bob.stop()
  })
})

test("a relay that something keeps alive ends a little after its deadline all the same, with 1, and says what it was", async () => {
  await using scratch = await scratchFolder()
  const file = join(scratch.path, "relay.yaml")
  await writeFile(
    file,
    `relay: { name: relay.bob.example, state: ./state }\nlisteners: {}\nlimits: { drain-deadline: 100ms }\n`,
  )
  const held = ["--import", "data:text/javascript,setInterval(() => {}, 1000)"]
  const child = startWaypost(["relay", "-c", file], { node: held })
  let said = ""
  child.stdout.on("data", (piece: Buffer) => (said += piece.toString()))
  await eventually("started", () => said.includes('"started"'))
  child.kill("SIGTERM")
  expect(await once(child, "close")).toEqual([1, null])
  expect(said).toMatch(/"stopped".*\n.*"open":"[^"]*Timeout.*"did not end by itself"/)
})

async function configuration(): Promise<string> {
  return `
listeners:
  ssh: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice }
  web: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice }
  https: { bind: ["127.0.0.1:0"], protocol: tls }
  smtp: { bind: ["127.0.0.1:0"], protocol: smtp }
  http: { bind: ["127.0.0.1:0"], protocol: http }
  tunnel: { bind: ["127.0.0.1:${await freePort()}"], protocol: tunnel }
friends:
  alice:
    domains: [alice.example]
    routes:
      ssh: { mode: dedicated, to: box, service: any }
      web: { mode: dedicated, to: box, service: any }
      https: { mode: dedicated, to: box, service: any }
      smtp: { mode: peer, to: box, service: any }
      http: { mode: peer, to: box, service: any }
limits: { drain-deadline: 100ms }`
}

/** People who come, say nothing and stay. */
class Visitors implements AsyncDisposable {
  readonly #sockets: Socket[] = []

  async come(port: number): Promise<void> {
    const socket = connect({ port, host: "127.0.0.1" }).on("error", () => {}) // the relay may cut it
    this.#sockets.push(socket)
    await once(socket, "connect")
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
  }
}
