import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { connect, createServer, type AddressInfo } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { eventually } from "../../support/eventually.ts"
import { startWaypost, waypost } from "../../support/waypost.ts"

type Event = { readonly level: number; readonly msg: string; readonly [field: string]: unknown }

let folder: string
let file: string
const running: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-cli-relay-"))
  file = join(folder, "relay.yaml")
})

afterEach(async () => {
  for (const child of running.splice(0)) child.kill("SIGKILL")
  await rm(folder, { recursive: true })
})

describe("waypost relay", () => {
  test("logs JSON lines, and ends cleanly at SIGTERM", async () => {
    await writeFile(file, configuration("own"))
    const { child, events } = await started()
    expect(events.map(({ msg }) => msg)).toEqual(
      expect.arrayContaining(["listening", "WP106 nothing-is-known-of-the-protocol", "started"]),
    )
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
    expect(events.at(-1)?.msg).toBe("stopped")
  })

  test("takes a changed file in", async () => {
    await writeFile(file, configuration("own"))
    const { events } = await started()
    await writeFile(file, configuration("other"))
    await eventually("reloaded", () => events.some(({ msg }) => msg === "reloaded"))
    expect(events).toContainEqual(expect.objectContaining({ msg: "listening", listener: "other" }))
  })

  test("takes the file in at SIGHUP", async () => {
    await writeFile(file, configuration("own"))
    const { child, events } = await started()
    child.kill("SIGHUP")
    await eventually("reloaded", () => events.some(({ msg }) => msg === "reloaded"))
  })

  test("complains about a bad file, with the place, and goes on as before", async () => {
    await writeFile(file, configuration("own"))
    const { child, events } = await started()
    await writeFile(file, configuration("own").replace("protocol: tcp", "protocol: tpc"))
    const complaint = await eventually("a complaint", () => events.find(({ msg }) => msg === "not reloaded"))
    expect(complaint["fault"]).toMatch(/relay\.yaml:3:\d+: .*tpc/)
    expect(child.exitCode).toBeNull()
  })

  test("refuses to start with faults: 78, every fault on a line", async () => {
    await writeFile(file, configuration("own").replace("protocol: tcp", "protocol: tpc"))
    const { code, out, err } = await waypost("relay", "-c", file)
    expect({ code, out }).toEqual({ code: 78, out: "" })
    expect(err).toMatch(/relay\.yaml:3:\d+: .*tpc/)
  })

  test("refuses to start on a broken promise: 78, and says which", async () => {
    await writeFile(
      file,
      `relay: { name: relay.bob.example, state: ./state }
listeners: { http: { bind: ["127.0.0.1:0"], protocol: http } }
friends:
  alice: { promise: sealed, domains: [alice.example], routes: { http: { mode: peer, to: "127.0.0.1:9" } } }
`,
    )
    const { code, err } = await waypost("relay", "-c", file)
    expect(code).toBe(78)
    expect(err).toMatch(/alice\/http breaks "promise: sealed".*\n"waypost explain PROMISE_BROKEN" says more\.\n$/)
  })

  test("gives nobody a name that was another friend's: not on a reload, nor at start, where the file does not say so", async () => {
    const names = (friend: string, more = ""): string =>
      configuration("own").replaceAll("alice", friend).replace("{ routes", `{ domains: [alice.example]${more}, routes`)
    await writeFile(file, names("alice"))
    const { child, events } = await started()
    await writeFile(file, names("mallory"))
    const complaint = await eventually("a complaint", () => events.find(({ msg }) => msg === "not reloaded"))
    expect(complaint["fault"]).toMatch(/relay\.yaml:5:24: alice\.example was carried for alice less than 30 days ago; /)
    child.kill("SIGTERM")
    await once(child, "exit")
    const { code, err } = await waypost("relay", "-c", file)
    expect({ code, err }).toEqual({ code: 78, err: `${String(complaint["fault"])}\n` })
    await writeFile(file, names("mallory", ", takes-over: [alice.example]"))
    await started()
  })

  test("ends with 1 and one sentence where it cannot listen", async () => {
    await writeFile(file, configuration("own").replace("127.0.0.1:0", "192.0.2.99:25"))
    const { code, err } = await waypost("relay", "-c", file)
    expect(code).toBe(1)
    expect(err).toMatch(/^waypost: own: cannot listen on 192\.0\.2\.99:25: EADDRNOTAVAIL .*\n.*explain BIND_REFUSED/)
  })

  test("waits for what is carried at the first SIGTERM, and ends at once at the second", async () => {
    const backend = createServer((socket) => void socket.on("error", () => {}).write("hello")).listen(0, "127.0.0.1")
    await once(backend, "listening")
    const { port } = backend.address() as AddressInfo
    await writeFile(file, configuration("own").replace("127.0.0.1:9", `127.0.0.1:${port}`))
    const { child, events } = await started()
    const place = String(events.find(({ listener }) => listener === "own")?.["bound"])
    const visitor = connect(Number(place.split(":")[1]), "127.0.0.1").on("error", () => {})
    await once(visitor, "data")
    child.kill("SIGTERM")
    await eventually("stopping", () => events.some(({ msg }) => msg === "stopping"))
    expect(child.exitCode).toBeNull()
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([143, null])
    visitor.destroy()
    backend.close()
  })

  test("stops when the parent that has a channel to it is gone", async () => {
    await writeFile(file, configuration("own"))
    const { child } = await started(["ipc"])
    child.disconnect()
    expect(await once(child, "exit")).toEqual([0, null])
  })
})

function configuration(listener: string): string {
  return `relay: { name: relay.bob.example, state: ./state }
listeners:
  ${listener}: { bind: ["127.0.0.1:0"], protocol: tcp, friend: alice }
friends:
  alice: { routes: { ${listener}: { mode: dedicated, to: "127.0.0.1:9" } } }
`
}

async function started(channel: readonly "ipc"[] = []): Promise<{ child: ChildProcess; events: Event[] }> {
  const child = startWaypost(["relay", "-c", file, "--engine", "javascript"], { channel })
  running.push(child)
  const events: Event[] = []
  let rest = ""
  child.stdout?.on("data", (piece: Buffer) => {
    const lines = (rest + piece.toString()).split("\n")
    rest = lines.pop() ?? ""
    events.push(...lines.map((line) => JSON.parse(line) as Event))
  })
  await eventually("started", () => events.some(({ msg }) => msg === "started"))
  return { child, events }
}
