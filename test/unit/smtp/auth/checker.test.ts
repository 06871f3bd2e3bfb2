import { afterEach, describe, expect, test } from "@jest/globals"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { pathToFileURL } from "node:url"
import type { IpAddress } from "../../../../src/names/ip-address.ts"
import { Checker, CHECKS_MAX, SILENCE_MS_MAX, START_AGAIN_MS } from "../../../../src/smtp/auth/checker.ts"
import { CHECK_MS_MAX, UNREAD_BYTES_MAX } from "../../../../src/smtp/auth/running-check.ts"
import { BOB } from "../../../support/delivery.ts"
import { eventually } from "../../../support/eventually.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { keptLog } from "../../../support/kept-log.ts"
import { nameServer, type Zone } from "../../../support/name-server.ts"
import { CAROLS_MAIL, SENDERS_ZONE, signed } from "../../../support/signed-mail.ts"

const CAROL = { address: "192.0.2.1" as IpAddress, helo: "mx.sender.example", from: "carol@sender.example" }
const PASS = { spf: "pass", dkim: [{ result: "pass" }], dmarc: { result: "pass" } }

const closing: AsyncDisposableStack[] = []
afterEach(async () => {
  for (const one of closing.splice(0)) await one.disposeAsync()
})

/** `thread`: the source of a thread that behaves otherwise. */
async function started({ zone = SENDERS_ZONE, thread }: { readonly zone?: Zone; readonly thread?: string } = {}) {
  const stack = new AsyncDisposableStack()
  closing.push(stack)
  const dns = stack.use(await nameServer(zone))
  const folder = stack.adopt(await mkdtemp(join(tmpdir(), "waypost-check-")), (path) => rm(path, { recursive: true }))
  const file = join(folder, "thread.mjs")
  if (thread) await writeFile(file, `import { parentPort as port } from "node:worker_threads"\n${thread}`)
  const [clock, log] = [handClock(), keptLog()]
  const options = { name: BOB, nameServers: [dns.at], clock, log, ...(thread && { file: pathToFileURL(file) }) }
  const checker = stack.adopt(new Checker(options), (one) => one.close())
  return { checker, clock, log, dns }
}

describe("a message that comes in", () => {
  test("is checked while it comes, many at a time", async () => {
    const { checker } = await started()
    const message = Buffer.from(await signed(CAROLS_MAIL))
    const checks = Array.from({ length: 20 }, async () => {
      const check = checker.begin(CAROL)
      for (let at = 0; at < message.length; at += 100) await check.write(message.subarray(at, at + 100))
      return check.end()
    })
    for (const findings of await Promise.all(checks)) expect(findings).toMatchObject(PASS)
  })

  test("waits when the thread does not keep up, and goes on when it does", async () => {
    const thread = `const waiting = []
      port.on("message", (m) => {
        if (m.kind === "piece") waiting.push(m)
        if (m.kind === "begin" && m.number === 2)
          for (const { number, bytes } of waiting) port.postMessage({ kind: "read", number, bytes: bytes.length })
      })`
    const { checker } = await started({ thread })
    const check = checker.begin(CAROL)
    let written = 0
    const writing = (async () => {
      for (; written <= 3 * UNREAD_BYTES_MAX; written += 64 * 1024) await check.write(new Uint8Array(64 * 1024))
    })()
    await eventually("the writer waits", () => written >= UNREAD_BYTES_MAX)
    await new Promise((resolve) => setImmediate(resolve))
    expect(written).toBeLessThanOrEqual(UNREAD_BYTES_MAX)
    checker.begin(CAROL) // the thread reads now
    await eventually("the writer goes on", () => written > UNREAD_BYTES_MAX)
    check.drop()
    await writing
  })
})

describe("whatever becomes of the thread, a check ends", () => {
  const LATE = { spf: "temperror", dkim: [{ result: "temperror", why: "not checked in time" }] }

  test("DNS that does not answer: when its time is over, and the thread lives", async () => {
    const silent = Object.fromEntries(Object.keys(SENDERS_ZONE).map((name) => [name, "silent"] as const))
    const { checker, clock, log, dns } = await started({ zone: silent })
    const check = checker.begin(CAROL)
    await check.write(Buffer.from(CAROLS_MAIL))
    const ending = check.end()
    await eventually("DNS is asked", () => dns.asked.length > 0)
    await clock.turn(CHECK_MS_MAX)
    expect(await ending).toMatchObject(LATE)
    dns.zone = SENDERS_ZONE
    const other = checker.begin(CAROL)
    await other.write(Buffer.from(await signed(CAROLS_MAIL)))
    expect(await other.end()).toMatchObject(PASS)
    await clock.turn(SILENCE_MS_MAX)
    expect(log.all("mail-check-hangs")).toEqual([])
  })

  test("a thread that hangs is replaced", async () => {
    const { checker, clock, log } = await started({ thread: 'port.on("message", () => { for (;;); })' })
    const [check, other] = [checker.begin(CAROL), checker.begin(CAROL)]
    const ending = check.end()
    await clock.turn(CHECK_MS_MAX)
    expect(await ending).toMatchObject(LATE)
    await clock.turn(SILENCE_MS_MAX)
    expect(await other.end()).toMatchObject({ dmarc: { result: "temperror", why: "the check hung" } })
    expect(log.all("mail-check-hangs")).toHaveLength(1)
  })

  test("a thread that ends is started again, but not at once", async () => {
    const { checker, clock, log } = await started({ thread: 'port.on("message", () => { throw new Error("a bug") })' })
    const broken = { dmarc: { result: "temperror", why: "the check broke" } }
    expect(await checker.begin(CAROL).end()).toMatchObject(broken)
    expect(log.all("mail-check-broke")).toMatchObject([{ why: "a bug" }])
    const soon = checker.begin(CAROL)
    await soon.write(new Uint8Array(10 * UNREAD_BYTES_MAX)) // nobody reads it, and nobody waits for that
    expect(await soon.end()).toMatchObject({ dmarc: { why: "the check broke a moment ago" } })
    await clock.turn(START_AGAIN_MS)
    expect(await checker.begin(CAROL).end()).toMatchObject(broken)
  })

  test("more than can be checked at a time is not checked", async () => {
    const { checker } = await started({ thread: 'port.on("message", () => {})' })
    const all = Array.from({ length: CHECKS_MAX }, () => checker.begin(CAROL))
    expect(await checker.begin(CAROL).end()).toMatchObject({ dmarc: { why: "too much is being checked" } })
    all[0]?.drop()
    const next = checker.begin(CAROL)
    await checker.close()
    expect(await next.end()).toMatchObject({ dmarc: { why: "the relay is being stopped" } })
  })
})
