import { afterEach, describe, expect, test } from "@jest/globals"
import { once } from "node:events"
import { createServer, connect, type AddressInfo, type Server, Socket } from "node:net"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { systemClock } from "../../../src/clock/clock.ts"
import { silentLog } from "../../../src/log/log.ts"
import type { SocketAddress } from "../../../src/names/endpoint.ts"
import { startRelay } from "../../../src/relay/relay.ts"
import { testConfig, testRelay } from "../../support/relay.ts"

const closing: Server[] = []

afterEach(() => {
  for (const server of closing.splice(0)) server.close()
})

describe("a relay", () => {
  test("carries what arrives at a friend's own port, and says where it listens", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("first ")))
    expect(await ask(bob.at("own"), "hello")).toBe("first hello")
    expect(bob.log).toContainEqual(expect.objectContaining({ event: "started" }))
    expect(bob.log).toContainEqual(
      expect.objectContaining({ event: "listening", fields: expect.objectContaining({ listener: "own" }) }),
    )
  })

  test("warns of every route with a code", async () => {
    await using bob = await testRelay(ownPort("echo", 9))
    expect(bob.log).toContainEqual({
      level: "warn",
      event: "WP106 nothing-is-known-of-the-protocol",
      fields: { route: "echo/own" },
    })
  })

  test("refuses to start where a route breaks a promise", async () => {
    const broken = `
listeners: { http: { bind: ["127.0.0.1:0"], protocol: http } }
friends:
  alice:
    promise: sealed
    domains: [alice.example]
    routes: { http: { mode: peer, to: "127.0.0.1:9" } }`
    await expect(testRelay(broken)).rejects.toMatchObject({
      fault: { code: "PROMISE_BROKEN", detail: expect.stringMatching(/alice\/http breaks "promise: sealed"/) },
    })
  })

  test("starts wholly or not at all", async () => {
    const folder = await mkdtemp(join(tmpdir(), "waypost-relay-"))
    const taken = await listening(createServer())
    const free = await freePort()
    const config = (second: number): string => `
listeners:
  one: { bind: ["127.0.0.1:${free}"], protocol: tcp, friend: echo }
  two: { bind: ["127.0.0.1:${second}"], protocol: tcp, friend: echo }
friends:
  echo: { routes: { one: { mode: dedicated, to: "127.0.0.1:9" }, two: { mode: dedicated, to: "127.0.0.1:9" } } }`
    const outside = { clock: systemClock, log: silentLog }
    await expect(startRelay(testConfig(config(taken), folder), outside)).rejects.toMatchObject({
      fault: { code: "BIND_REFUSED" },
    })
    const relay = await startRelay(testConfig(config(0), folder), outside) // neither the port nor the state is held
    await relay.stop(0)
    await rm(folder, { recursive: true })
  })

  test("does not share its state folder", async () => {
    const folder = await mkdtemp(join(tmpdir(), "waypost-relay-"))
    const config = testConfig(ownPort("echo", 9), folder)
    const relay = await startRelay(config, { clock: systemClock, log: silentLog })
    await expect(startRelay(config, { clock: systemClock, log: silentLog })).rejects.toMatchObject({
      fault: { code: "STATE_LOCKED" },
    })
    await relay.stop(0)
    await rm(folder, { recursive: true })
  })

  test("survives a backend that is not there and a visitor who resets", async () => {
    await using bob = await testRelay(`
listeners:
  own: { bind: ["127.0.0.1:0"], protocol: tcp, friend: echo }
  dead: { bind: ["127.0.0.1:0"], protocol: tcp, friend: echo }
friends:
  echo:
    routes:
      own: { mode: dedicated, to: "127.0.0.1:${await echo("")}" }
      dead: { mode: dedicated, to: "127.0.0.1:${await freePort()}" }`)
    const lost = connect(bob.at("dead").port, "127.0.0.1")
    await new Promise((resolve) => lost.on("error", resolve).on("close", resolve))
    const rude = connect(bob.at("own").port, "127.0.0.1")
    await once(rude, "connect")
    rude.resetAndDestroy()
    expect(await ask(bob.at("own"), "still here")).toBe("still here")
  })
})

describe("a reload", () => {
  test("leads new connections elsewhere and leaves running ones alone", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("old ")))
    const running = await connected(bob.at("own"))
    await bob.reload(ownPort("echo", await echo("new ")))
    expect(await ask(bob.at("own"), "hello")).toBe("new hello")
    expect(await answerOn(running, "hello")).toBe("old hello")
  })

  test("opens and closes listeners", async () => {
    await using bob = await testRelay(ownPort("echo", 9))
    const before = bob.at("own")
    await bob.reload(ownPort("echo", await echo("there "), 0, "other"))
    expect(bob.relay.bound.map(({ listener }) => listener)).toEqual(["other"])
    await expect(connected(before)).rejects.toThrow("ECONNREFUSED")
    expect(await ask(bob.at("other"), "hello")).toBe("there hello")
  })

  test("that would break a promise changes nothing", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("old ")))
    const broken = ownPort("echo", 9).replace("echo: {", "echo: { promise: sealed,")
    await expect(bob.reload(`${broken.replace("tcp", "http")}`)).rejects.toMatchObject({
      fault: { code: "PROMISE_BROKEN" },
    })
    expect(await ask(bob.at("own"), "hello")).toBe("old hello")
  })

  test("that cannot listen changes nothing", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("old ")))
    const taken = await listening(createServer())
    await expect(bob.reload(ownPort("echo", await echo("new "), taken))).rejects.toMatchObject({
      fault: { code: "BIND_REFUSED" },
    })
    expect(await ask(bob.at("own"), "hello")).toBe("old hello")
  })

  test("names what needs a restart", async () => {
    await using bob = await testRelay(ownPort("echo", 9))
    await bob.reload(`${ownPort("echo", 9)}\nlimits: { message-max: 1MB }`)
    expect(bob.log).toContainEqual({
      level: "warn",
      event: "needs a restart to change",
      fields: { setting: "limits.message-max" },
    })
  })
})

describe("a stop", () => {
  test("waits for connections that are still carried, and accepts no new ones", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("")))
    const where = bob.at("own")
    const running = await connected(where)
    await answerOn(running, "first")
    const stopped = bob.relay.stop()
    await isRefused(where)
    expect(await answerOn(running, "last")).toBe("last")
    running.end()
    await stopped
  })

  test("cuts what does not end in time", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("")))
    const running = await connected(bob.at("own"))
    await answerOn(running, "first")
    const cut = new Promise((resolve) => running.on("close", resolve))
    await bob.relay.stop(0)
    await cut
  })

  test("that was patient can be made impatient", async () => {
    await using bob = await testRelay(ownPort("echo", await echo("")))
    const running = await connected(bob.at("own"))
    await answerOn(running, "first")
    const stopped = bob.relay.stop(24 * 3_600_000)
    await bob.relay.stop(0)
    await stopped
  })
})

/** A port of the friend's own, whatever it carries. */
function ownPort(friend: string, backendPort: number, port = 0, listener = "own"): string {
  return `
listeners: { ${listener}: { bind: ["127.0.0.1:${port}"], protocol: tcp, friend: ${friend} } }
friends:
  ${friend}: { routes: { ${listener}: { mode: dedicated, to: "127.0.0.1:${backendPort}" } } }`
}

/** A server that gives every piece back behind `greeting`. */
async function echo(greeting: string): Promise<number> {
  const server = createServer((socket) => {
    socket.on("data", (piece) => socket.write(greeting + piece.toString()))
    socket.on("end", () => socket.end())
    socket.on("error", () => {}) // the relay may cut it
  })
  return listening(server)
}

async function listening(server: Server): Promise<number> {
  closing.push(server.listen(0, "127.0.0.1"))
  await once(server, "listening")
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1")
  await once(server, "listening")
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function connected({ address, port }: SocketAddress): Promise<Socket> {
  const socket = connect(port, address)
  await once(socket, "connect")
  return socket.on("error", () => {}) // the relay may cut it
}

/** A stop takes in whoever had connected before it. */
async function isRefused(where: SocketAddress): Promise<void> {
  for (;;) {
    const socket = await connected(where).catch((error: NodeJS.ErrnoException) => error.code)
    if (socket === "ECONNREFUSED") return
    if (socket instanceof Socket) socket.destroy()
  }
}

async function answerOn(socket: Socket, question: string): Promise<string> {
  socket.write(question)
  const [piece] = (await once(socket, "data")) as [Buffer]
  return piece.toString()
}

async function ask(where: SocketAddress, question: string): Promise<string> {
  const socket = await connected(where)
  socket.end(question)
  return text(socket)
}
