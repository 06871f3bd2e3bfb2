/**
 * The power fails while a real relay takes mail onto a real ext4, at 200 moments: the disk is copied as it stands, the
 * copy is mounted, and every message that was acknowledged before is in it, whole. Then the same relay with an fsync
 * that does nothing, to see that this would be noticed.
 */
import { spawn } from "node:child_process"
import { once } from "node:events"
import { writeFile } from "node:fs/promises"
import { setTimeout as delay } from "node:timers/promises"
import { describe, expect, test } from "@jest/globals"
import { Ledger } from "../../bench/kill/ledger.ts"
import { sendUntil } from "../../bench/kill/sender.ts"
import type { MessageId } from "../../src/store/spool.ts"
import { judgePath, withJudges } from "../support/judge.ts"
import { accepts, freePort, scratchFolder } from "../support/program.ts"
import { snapshotDisk, whyNoSnapshotDisk, type Snapshot, type SnapshotDisk } from "../support/snapshot-disk.ts"
import { contentOf, openTestSpool } from "../support/spool.ts"

const MOMENTS = 200
const SENDERS = 5
/** Between a sender's messages. */
const PAUSE_MS = 50
const BETWEEN_MOMENTS_MS_MAX = 60

withJudges(["eatmydata", "mkfs.xfs"], () => {
  const missing = whyNoSnapshotDisk()
  if (missing !== undefined) {
    process.stderr.write(`SKIPPED: ${missing}\n`)
    describe.skip(`SKIPPED: ${missing}`, powerCuts)
  } else powerCuts()
})

function powerCuts(): void {
  test(`nothing that was acknowledged is lost, at any of ${MOMENTS} moments`, async () => {
    const { lost, acknowledged } = await cutPower(MOMENTS, [])
    expect(acknowledged).toBeGreaterThan(MOMENTS)
    expect(lost).toBe(0)
  }, 600_000)

  test("without fsync it would be", async () => {
    const { lost } = await cutPower(MOMENTS / 10, [judgePath("eatmydata")])
    expect(lost).toBeGreaterThan(0)
  }, 600_000)
}

type Came = { readonly lost: number; readonly acknowledged: number }

/** Runs a relay whose next hop is away, so that all mail stays; `wrapper` is what it is started by. */
async function cutPower(moments: number, wrapper: readonly string[]): Promise<Came> {
  await using disk = await snapshotDisk()
  await using relay = await startRelay(disk, wrapper)
  const ledger = new Ledger()
  const end = new AbortController()
  const sending = Promise.all(
    Array.from({ length: SENDERS }, () => sendUntil(end.signal, relay.port, ledger, PAUSE_MS)),
  )
  const cuts: { readonly after: Snapshot; readonly promised: readonly string[] }[] = []
  for (let moment = 0; moment < moments; moment++) {
    await delay((moment * 37) % BETWEEN_MOMENTS_MS_MAX)
    const promised = ledger.missing // the next hop is away: nothing that was promised has arrived
    cuts.push({ promised, after: disk.snapshot() })
  }
  end.abort()
  await sending
  const whole = new Map<MessageId, string>()
  let lost = 0
  for (const { after, promised } of cuts)
    lost += await after.inspect((path) => missingFrom(`${path}/state`, promised, whole))
  return { lost, acknowledged: ledger.counts.acknowledged }
}

async function startRelay(disk: SnapshotDisk, wrapper: readonly string[]): Promise<AsyncDisposable & { port: number }> {
  const folder = await scratchFolder()
  const port = await freePort()
  const away = await freePort()
  const config = [
    `relay: { name: relay.bob.example, state: ${disk.path}/state }`,
    `listeners: { smtp: { bind: ["127.0.0.1:${port}"], protocol: smtp } }`,
    `friends: { dave: { domains: [dave.example], routes: { smtp: { mode: peer, to: "127.0.0.1:${away}" } } } }`,
  ]
  await writeFile(`${folder.path}/relay.yaml`, config.join("\n"))
  const node = [process.execPath, "--disable-warning=ExperimentalWarning"]
  const [program, ...args] = [...wrapper, ...node, "src/cli/main.ts", "relay", "--config", `${folder.path}/relay.yaml`]
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] })
  const ended = once(child, "exit")
  while (!(await accepts(port))) {
    if (child.exitCode !== null) throw new Error(`the relay ended with ${child.exitCode}`)
    await delay(50)
  }
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM")
      await ended
      await folder[Symbol.asyncDispose]()
    },
  }
}

/** How many of these messages a relay that starts on this state would not have, or not whole. `whole`: those read before. */
async function missingFrom(state: string, promised: readonly string[], whole: Map<MessageId, string>): Promise<number> {
  const spool = await openTestSpool(state).catch(() => undefined)
  if (!spool) return promised.length
  const there = new Set<string>()
  for (const { id, sizeBytes } of await spool.list()) {
    const name = whole.get(id) ?? nameIn(await contentOf(spool, id), sizeBytes)
    if (name === undefined) continue
    whole.set(id, name)
    there.add(name)
  }
  await spool.close()
  return promised.filter((name) => !there.has(name)).length
}

function nameIn(content: Buffer, sizeBytes: number): string | undefined {
  if (content.length !== sizeBytes) return undefined
  return /^X-Ledger: (?<name>\S+)\r$/m.exec(content.subarray(0, 2_000).toString("latin1"))?.groups?.["name"]
}
