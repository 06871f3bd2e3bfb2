import { afterEach, describe, expect, test } from "@jest/globals"
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { createServer, type Server } from "node:net"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { endpointText } from "../../../src/names/endpoint.ts"
import { descriptorOf } from "../../../src/net/accepted.ts"
import { descriptorsFrom, givenBySystemd, GivenSockets } from "../../../src/net/given-sockets.ts"
import { backend, echo } from "../../support/backend.ts"
import { engineKinds } from "../../support/engines.ts"
import { at } from "../../support/loopback.ts"
import { scratchFolder } from "../../support/program.ts"
import { visitor } from "../../support/visitor.ts"
import { MAIN } from "../../support/waypost.ts"

const servers: Server[] = []
const programs: ChildProcess[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
  for (const program of programs.splice(0)) program.kill("SIGKILL") // where the test failed; otherwise it has ended
})

async function listening(host: string): Promise<{ readonly fd: number; readonly port: number }> {
  const server = createServer().listen({ host, port: 0 })
  servers.push(server)
  await once(server, "listening")
  const address = server.address()
  const fd = descriptorOf(server)
  if (fd === undefined || typeof address !== "object" || !address) throw new Error("a TCP server has both")
  return { fd, port: address.port }
}

describe("given sockets", () => {
  test.each(["127.0.0.1", "::1", "0.0.0.0", "::"])("are known by where they listen: %s", async (host) => {
    const { fd, port } = await listening(host)
    const given = new GivenSockets([fd])
    expect(given.take(at(host, port + 1))).toEqual([])
    expect(given.take(at(host, port))).toEqual([fd])
    expect(given.take(at(host, port))).toEqual([])
  })

  test("several may listen at one place", () => {
    const given = new GivenSockets([3, 4, 5], (fd) => at("127.0.0.1", fd === 4 ? 25 : 443))
    expect(given.take(at("127.0.0.1", 443))).toEqual([3, 5])
  })
})

test("systemd's are meant for the process that it names, and no other", () => {
  expect(givenBySystemd({ LISTEN_PID: "7", LISTEN_FDS: "2" }, 7)).toEqual([3, 4])
  expect(givenBySystemd({ LISTEN_PID: "7", LISTEN_FDS: "2" }, 8)).toEqual([])
  expect(givenBySystemd({}, 7)).toEqual([])
  expect([0, -1, 1.5, Number.NaN].map(descriptorsFrom)).toEqual([[], [], [], []])
})

test.each(engineKinds)(
  "a relay serves at the sockets that systemd gives it, and closes those that nobody names (%s)",
  async (engine) => {
    await using scratch = await scratchFolder()
    const [own, other] = [await listening("127.0.0.1"), await listening("127.0.0.1")]
    const service = await backend(echo)
    const file = join(scratch.path, "relay.yaml")
    await writeFile(
      file,
      `relay: { name: relay.bob.example, state: ./state }
listeners: { own: { bind: ["127.0.0.1:${own.port}"], protocol: tcp, friend: alice } }
friends: { alice: { routes: { own: { mode: dedicated, to: "127.0.0.1:${service.at.port}" } } } }
`,
    )
    // As systemd does it: the descriptors from 3 on, and the number of the process that they are for.
    // What watches the relay is given to the relay alone: a shell does not run under ThreadSanitizer.
    const script = 'export LISTEN_PID=$$ LISTEN_FDS=2; [ -z "$PRELOAD" ] || export LD_PRELOAD="$PRELOAD"; exec "$@"'
    const start = ["-c", script, "sh", process.execPath, MAIN]
    const { LD_PRELOAD: preload = "", ...env } = process.env
    const child = spawn("sh", [...start, "relay", "-c", file, "--engine", engine], {
      env: { ...env, NODE_OPTIONS: "", PRELOAD: preload },
      stdio: ["ignore", "pipe", "inherit", own.fd, other.fd],
    })
    programs.push(child)
    const said = child.stdout ? text(child.stdout) : undefined // a pipe was asked for
    for (const server of servers.splice(0)) server.close()
    const alice = await visitor(at("127.0.0.1", own.port)) // waits in the queue until the relay is there
    alice.say("hello")
    await alice.hears("hello")
    alice.finish()
    await alice.isClosed()
    child.kill("SIGTERM")
    expect(await said).toContain(
      `"place":"${endpointText(at("127.0.0.1", other.port))}","msg":"given a socket that no listener names"`,
    )
    await service.close()
  },
)
