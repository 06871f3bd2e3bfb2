/** What only the native engine can get wrong: its threads, and the process they live in. */
import { execFileSync, spawn } from "node:child_process"
import { once } from "node:events"
import { readdirSync, readFileSync } from "node:fs"
import { constants } from "node:os"
import { text } from "node:stream/consumers"
import { Worker } from "node:worker_threads"
import { expect, test } from "@jest/globals"
import { silentLog } from "../../../src/log/log.ts"
import { nativeEngine } from "../../../src/net/engine-native.ts"
import { backend, echo } from "../../support/backend.ts"
import { openSockets } from "../../support/descriptors.ts"
import { carry, door } from "../../support/door.ts"
import { eventually } from "../../support/eventually.ts"
import { at, LOOPBACK } from "../../support/loopback.ts"
import { withNative } from "../../support/native-addon.ts"
import type { Peer } from "../../support/peer.ts"
import { relayInChild } from "../../support/relay-in-child.ts"
import { visitor } from "../../support/visitor.ts"

withNative((addon) => {
  test("a crash of an engine thread ends the process, which says why", async () => {
    const home = await backend(echo)
    await using relay = await relayInChild({ engine: "native", backend: home.at })
    const alice = await visitor(relay.bound)
    alice.say("hello")
    await alice.hears("hello")
    const ended = once(relay.child, "exit")
    crashEngineThread(relay.child.pid ?? 0)
    expect(await ended).toEqual([null, "SIGSEGV"])
    expect(relay.said()).toContain("waypost: fault in the native engine: a thread crashed; the process ends")
    await isCutOff(alice)
    await home.close()
  })

  test("an engine thread that cannot go on ends the process, which says what failed", async () => {
    const child = spawn(process.execPath, ["--input-type=module", "-e", LISTENS_NOWHERE], {
      cwd: import.meta.dirname,
      stdio: ["ignore", "ignore", "pipe"],
    })
    const [said] = await Promise.all([text(child.stderr), once(child, "exit")])
    expect(child.signalCode).toBe("SIGABRT")
    expect(said).toContain("waypost: fault in the native engine: epoll_ctl (Bad file descriptor); the process ends")
  })

  test("a crash of another thread is not said to be the engine's", async () => {
    const home = await backend(echo)
    await using relay = await relayInChild({ engine: "native", backend: home.at })
    const ended = once(relay.child, "exit")
    relay.child.kill("SIGSEGV") // any thread but those of the engine, which block what is sent to the process
    expect(await ended).toEqual([null, "SIGSEGV"])
    expect(relay.said()).not.toContain("native engine")
    await home.close()
  })

  test("a worker that is ended takes its engine with it, and the process goes on", async () => {
    const before = openSockets()
    for (let turn = 0; turn < 3; turn++) {
      const worker = new Worker(RELAY_IN_WORKER, { eval: true, workerData: import.meta.dirname })
      const [port] = (await once(worker, "message")) as [number]
      const alice = await visitor(at("127.0.0.1", port))
      alice.say("hello")
      await alice.hears("hello")
      await worker.terminate()
      await isCutOff(alice)
    }
    await eventually("everything is given back", () => openSockets() <= before)
  })

  test("a process that ends by itself with connections open ends in order", async () => {
    const home = await backend(echo)
    await using relay = await relayInChild({ engine: "native", backend: home.at })
    const crowd = await Promise.all(Array.from({ length: 20 }, () => visitor(relay.bound)))
    for (const peer of crowd) peer.say("hello")
    await Promise.all(crowd.map((peer) => peer.hears("hello")))
    const ended = once(relay.child, "exit")
    relay.child.kill("SIGTERM")
    expect(await ended).toEqual([0, null])
    expect(relay.said()).toBe("")
    await Promise.all(crowd.map(isCutOff))
    await home.close()
  })

  test("an engine that listens to nothing keeps no process alive, and one that listens does", async () => {
    const program = (listens: boolean): string => `
      const { nativeEngine } = await import(${JSON.stringify(ENGINE)})
      const { loadAddon } = await import(${JSON.stringify(ADDON)})
      const engine = nativeEngine({ addon: loadAddon().addon, log: console, threads: 2 })
      const where = { name: "x", bind: ${JSON.stringify(LOOPBACK)}, ask: "bytes", decideDeadlineMs: 1000, ended() {} }
      if (${listens}) {
        const open = await engine.listen(where, () => ({ do: "reset", why: "" }))
        setTimeout(async () => { await open.stop(); console.log("stopped") }, 200)
      }`
    expect(execFileSync(process.execPath, ["-e", program(false)], { encoding: "utf8" })).toBe("")
    expect(execFileSync(process.execPath, ["-e", program(true)], { encoding: "utf8" })).toBe("stopped\n")
  })

  test("visitors are shared out between its threads, and every thread is stopped", async () => {
    const home = await backend(echo)
    const engine = nativeEngine({ addon, log: silentLog, threads: 4 })
    const relay = await door(engine, () => carry(home.at))
    await eventually("four threads", () => engineThreads(process.pid).length === 4)
    const crowd = await Promise.all(Array.from({ length: 100 }, () => visitor(relay.bound)))
    for (const [index, peer] of crowd.entries()) peer.say(`visitor ${index}`)
    await Promise.all(crowd.map((peer, index) => peer.hears(`visitor ${index}`)))
    for (const peer of crowd) peer.finish()
    await relay.stop()
    await relay.drained()
    await engine.close()
    await home.close()
    expect(engineThreads(process.pid)).toEqual([])
  })
})

const ENGINE = new URL("../../../src/net/engine-native.ts", import.meta.url).href
const ADDON = new URL("../../../src/net/native/addon.ts", import.meta.url).href

/** Carries nothing: it gives every connection to itself and echoes. */
const RELAY_IN_WORKER = `
  const { parentPort } = require("node:worker_threads")
  ;(async () => {
    const { nativeEngine } = await import(${JSON.stringify(ENGINE)})
    const { loadAddon } = await import(${JSON.stringify(ADDON)})
    const server = require("node:net").createServer((socket) => socket.pipe(socket)).listen(0, "127.0.0.1", async () => {
      const engine = nativeEngine({ addon: loadAddon().addon, log: console, threads: 2 })
      const to = [{ address: "127.0.0.1", port: server.address().port }]
      const nothing = new Uint8Array(0)
      const carry = { do: "carry", to, prefix: nothing, skipBytes: 0, connectDeadlineMs: 5000, idleDeadlineMs: 5000, onConnectFailure: nothing }
      const where = { name: "x", bind: { address: "127.0.0.1", port: 0 }, ask: "bytes", decideDeadlineMs: 1000, ended() {} }
      const open = await engine.listen(where, () => carry)
      parentPort.postMessage(open.bound.port)
    })
  })()`

/** Who is cut off by the end of a process may hear FIN: its sockets are closed by the kernel. */
/** Tells an engine thread to listen on a descriptor that is not open, which nothing in src can do. */
const LISTENS_NOWHERE = `
  import { loadAddon } from "../../../src/net/native/addon.ts"
  const { addon } = loadAddon()
  const engine = addon.open(1, new Uint8Array(4096), () => {})
  addon.hold(engine, 1)
  const [COMMAND_LISTEN, DESCRIPTOR] = [7, 9999]
  const record = new DataView(new ArrayBuffer(24))
  record.setUint32(0, 24, true)
  record.setUint8(4, COMMAND_LISTEN)
  record.setUint32(16, DESCRIPTOR, true)
  addon.post(engine, new Uint8Array(record.buffer), 24)
`

async function isCutOff(peer: Peer): Promise<void> {
  await eventually("is cut off", () => peer.finished || peer.closed)
  peer.socket.destroy()
}

function engineThreads(pid: number): readonly string[] {
  return readdirSync(`/proc/${pid}/task`).filter(
    (task) => readFileSync(`/proc/${pid}/task/${task}/comm`, "utf8").trim() === "waypost-engine",
  )
}

/** tgkill(2): the one way to signal a certain thread. Node has none, Perl has `syscall`. */
function crashEngineThread(pid: number): void {
  const [thread] = engineThreads(pid)
  const tgkill = process.arch === "x64" ? 234 : 131
  const { SIGSEGV } = constants.signals
  execFileSync("perl", ["-e", `syscall(${tgkill}, ${pid}, ${thread}, ${SIGSEGV}) == 0 or die $!`])
}
