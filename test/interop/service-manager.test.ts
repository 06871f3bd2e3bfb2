/** What a relay tells systemd (Type=notify), also across a hand-over, and the unit that runs it. */
import { randomBytes } from "node:crypto"
import { readFile, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { ADDON_FILE_VARIABLE } from "../../src/net/native/addon.ts"
import { runClient } from "../support/client.ts"
import { eventually } from "../support/eventually.ts"
import { withJudges } from "../support/judge.ts"
import { listenForNotifications, type NotifyListener } from "../support/notify-listener.ts"
import { freePort, scratchFolder } from "../support/program.ts"
import { startRelayProgram } from "../support/relay-program.ts"

const STATUS = "STATUS=serves; friends: 1, places where it listens: 1"

withJudges(["python3"], () => {
  describe.each([
    ["at a path", (folder: string) => join(folder, "notify")],
    ["with an abstract name", () => `@waypost-test-${randomBytes(6).toString("hex")}`],
  ])("a socket %s", (_where, named) => {
    test("hears when the relay serves, reloads, gives its place away, and stops", async () => {
      await using folder = await scratchFolder()
      const socket = named(folder.path)
      await using manager = await listenForNotifications(socket)
      const relay = await startRelayProgram(await configuration(), {
        folder: folder.path,
        env: { NOTIFY_SOCKET: socket },
      })
      expect(await told(manager, "READY=1")).toEqual({ pid: relay.pid, lines: ["READY=1", STATUS] })

      relay.signal("SIGHUP")
      const reloading = await told(manager, "RELOADING=1")
      expect(reloading.lines).toEqual(["RELOADING=1", expect.stringMatching(/^MONOTONIC_USEC=\d+$/)])
      await eventually("it is ready again", () => manager.heard.length === 3)
      expect(manager.heard.at(-1)).toEqual({ pid: relay.pid, lines: ["READY=1", STATUS] })

      relay.signal("SIGUSR2")
      const { lines } = await told(manager, "MAINPID=")
      const next = Number(lines[0]?.slice("MAINPID=".length))
      expect(next).toBe((await relay.logged("replaced"))["pid"])
      await relay.ended()
      expect(manager.heard.length).toBe(4) // who is the service no more does not say that it stops
      process.kill(next, "SIGTERM")
      expect(await told(manager, "STOPPING=1")).toMatchObject({ pid: next })
    })
  })

  test("where nobody listens, the relay says so in its log and serves", async () => {
    await using folder = await scratchFolder()
    const env = { NOTIFY_SOCKET: join(folder.path, "nobody") }
    await using relay = await startRelayProgram(await configuration(), { folder: folder.path, env })
    expect(await relay.logged("service manager not told")).toMatchObject({ what: "READY=1" })
  })
})

withJudges(["python3", "systemd-notify"], () => {
  test("without the native engine systemd-notify speaks for the relay", async () => {
    await using folder = await scratchFolder()
    const socket = join(folder.path, "notify")
    await using manager = await listenForNotifications(socket)
    const env = { NOTIFY_SOCKET: socket, [ADDON_FILE_VARIABLE]: "/nowhere" }
    const relay = await startRelayProgram(await configuration(), { folder: folder.path, env })
    await told(manager, "READY=1")
    await relay.stop()
    await told(manager, "STOPPING=1")
  })
})

withJudges(["systemd-analyze"], () => {
  test("the unit is one that systemd takes, and leaves little to whoever breaks in", async () => {
    await using folder = await scratchFolder()
    const unit = join(folder.path, "waypost.service")
    const text = await readFile("examples/waypost.service", "utf8")
    await writeFile(unit, text.replace("/usr/bin/waypost", process.execPath)) // it looks whether the program is there
    expect(await runClient("systemd-analyze", ["verify", unit])).toEqual({ exitCode: 0, said: "" })
    const security = await runClient("systemd-analyze", ["security", "--offline=true", "--threshold=20", unit])
    expect(security.exitCode).toBe(0) // at most 2.0 of 10
  })
})

async function configuration(): Promise<string> {
  return `
listeners: { own: { bind: ["127.0.0.1:${await freePort()}"], protocol: tcp, friend: alice } }
friends: { alice: { routes: { own: { mode: dedicated, to: "127.0.0.1:1" } } } }
`
}

function told(manager: NotifyListener, word: string) {
  return eventually(`${word} is said`, () => manager.heard.find(({ lines }) => lines[0]?.startsWith(word)))
}
