import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { freePort } from "../../support/program.ts"
import { eventually } from "../../support/eventually.ts"
import { startWaypost, waypost } from "../../support/waypost.ts"

let folder: string
let relayFile: string
const running: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-cli-join-"))
  relayFile = join(folder, "relay.yaml")
  await writeFile(relayFile, configuration(await freePort()))
  const relay = startWaypost(["relay", "-c", relayFile])
  running.push(relay)
  let log = ""
  relay.stdout.setEncoding("utf8").on("data", (piece: string) => (log += piece))
  await eventually("the relay has started", () => log.includes('"started"'))
})

afterEach(async () => {
  for (const child of running.splice(0)) child.kill("SIGKILL")
  await rm(folder, { recursive: true })
})

function configuration(port: number): string {
  return `
relay: { name: relay.bob.example, state: ./state }
listeners:
  https: { bind: ["127.0.0.1:0"], protocol: tls }
  tunnel: { bind: ["127.0.0.1:${port}"], protocol: tunnel }
friends:
  alice:
    domains: [alice.example]
    routes:
      https: { mode: dedicated, to: box }
`
}

async function invitation(): Promise<string> {
  const { out } = await waypost("invite", "alice", "-c", relayFile)
  return out.split("\n")[0] ?? ""
}

/** `waypost join` in a home of its own; the line goes in at standard input, where no process list shows it. */
async function joining(home: string, line: string, ...more: readonly string[]) {
  await mkdir(join(folder, home))
  const boxFile = join(folder, home, "box.yaml")
  const child = startWaypost(["join", "-", "-c", boxFile, "--serve", "https=127.0.0.1:443", ...more])
  running.push(child)
  child.stdin.end(`${line}\n`)
  return { child, boxFile }
}

describe("waypost join", () => {
  test("reads the line from standard input, writes box.yaml, says what to publish, and stays attached", async () => {
    const { child, boxFile } = await joining("home", await invitation())
    let said = ""
    child.stdout.setEncoding("utf8").on("data", (piece: string) => (said += piece))
    await eventually("the tunnel is up", async () => (await waypost("box", "status", "-c", boxFile)).code === 0)
    expect(said).toContain("alice.example.  the addresses of relay.bob.example")
    expect(said).toContain("https (dedicated): the relay's operator cannot read it")
    expect(await readFile(boxFile, "utf8")).toContain('https: "127.0.0.1:443"')
    child.kill("SIGTERM")
    expect(await once(child, "exit")).toEqual([0, null])
  })

  test("says that an invitation was used, and writes nothing", async () => {
    const line = await invitation()
    const first = await joining("home", line, "--no-run")
    expect(await once(first.child, "exit")).toEqual([0, null])
    const { child, boxFile } = await joining("thief", line)
    const [said] = await Promise.all([text(child.stderr), once(child, "exit")])
    expect(child.exitCode).toBe(1)
    expect(said).toContain("did not let this box in: the invitation was used, has expired or was replaced")
    await expect(readFile(boxFile)).rejects.toThrow("ENOENT")
  })
})
