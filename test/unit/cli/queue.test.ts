import { afterEach, beforeEach, describe, expect, test } from "@jest/globals"
import type { ChildProcess } from "node:child_process"
import { mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { messageText, queueText } from "../../../src/cli/queue-text.ts"
import { sendMail } from "../../../src/lab/demo/carol.ts"
import type { QueuedMessage } from "../../../src/relay/queued.ts"
import type { AuditEntry } from "../../../src/store/audit-trail.ts"
import { eventually } from "../../support/eventually.ts"
import { freePort } from "../../support/program.ts"
import { startWaypost, waypost } from "../../support/waypost.ts"

/** Ten of them, one after the other, on a machine that may be busy. */
const MANY_PROCESSES_MS = 240_000

let folder: string
let file: string
const running: ChildProcess[] = []

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-cli-queue-"))
  file = join(folder, "relay.yaml")
})

afterEach(async () => {
  for (const child of running.splice(0)) child.kill("SIGKILL")
  await rm(folder, { recursive: true })
})

describe("waypost queue", () => {
  test(
    "shows and changes the mail of a relay that runs, and leaves an audit line for each change",
    async () => {
      const { port, said } = await relayWhoseFriendIsAway()
      for (const to of ["a", "b"]) {
        await sendMail({ name: "relay", address: "127.0.0.1", port }, `${to}@alice.example`, "secret words")
      }
      const queue = (...words: readonly string[]) => waypost("queue", ...words, "-c", file)

      const [first, second] = JSON.parse((await queue("list", "--json")).out) as QueuedMessage[]
      const [id = "", other = ""] = [first?.id, second?.id]
      expect(await queue("hold", id)).toMatchObject({
        code: 0,
        out: expect.stringMatching(/^held 1 message \(1 recip/),
      })
      expect((await queue()).out).toMatch(new RegExp(`^${id} .* held .* alice, a@alice.example$`, "m"))

      const shown = (await queue("show", id)).out
      expect(shown).toContain("held by the operator")
      expect(shown).not.toMatch(/secret|question/)

      expect((await queue("release", "--friend", "alice")).out).toBe("released 1 message (1 recipient)\n")
      expect((await queue("flush")).out).toBe("trying 2 messages (2 recipients) now\n")
      const elsewhere = await queue("redirect", other, "--to", "carol@sender.example")
      expect(elsewhere).toMatchObject({ code: 1, err: expect.stringContaining("is no address of alice") })
      expect((await queue("redirect", other, "--to", "c@alice.example")).out).toMatch(/^redirected 1 message/)
      expect((await queue("delete", other)).out).toMatch(/^deleted 1 message \(1 recipient\), nobody was told/)
      expect(await queue("show", other)).toMatchObject({ code: 1, out: expect.stringContaining("is not in the queue") })
      expect(JSON.parse((await queue("--json")).out)).toMatchObject([{ id }])

      const audited = said().flatMap((line) =>
        line["msg"] === "queue changed" ? `${String(line["how"])} ${String(line["message"])}` : [],
      )
      expect(audited).toEqual([
        `hold ${id}`,
        `release ${id}`,
        `flush ${id}`,
        `flush ${other}`,
        `redirect ${other}`,
        `delete ${other}`,
      ])
      expect((await queue("audit", other)).out).toMatch(/the operator +redirect +alice +\S+\s+c@alice.example\n/)
      const trail = JSON.parse((await queue("audit", "--json")).out) as AuditEntry[]
      expect(trail.map(({ how }) => how)).toEqual(["hold", "release", "flush", "redirect", "delete"])
      expect(trail[2]?.messages.toSorted()).toEqual([id, other].toSorted())
    },
    MANY_PROCESSES_MS,
  )

  test("without a relay says so, and what to do", async () => {
    await writeFile(file, configuration(2525, 2526))
    const { code, err } = await waypost("queue", "-c", file)
    expect(code).toBe(1)
    expect(err).toMatch(
      /^waypost: no relay is running on .*state; start it with "waypost relay -c FILE", then ask again\n/,
    )
  })

  test.each([["delete"], ["show"], ["refuse"], ["redirect", "anid"]])("%s needs to be told what", async (...action) => {
    expect(await waypost("queue", ...action, "-c", file)).toMatchObject({ code: 2 })
  })
})

describe("the queue in words", () => {
  const now = Date.parse("2026-11-21T12:00:00Z")
  const message: QueuedMessage = {
    id: "abcdefghijklmnop",
    friend: "alice",
    from: "",
    receivedAt: "2026-11-20T09:00:00.000Z",
    sizeBytes: 1_234_567,
    recipients: [
      recipient("a@alice.example", "451 4.3.0 \u001b[31mtoo busy", "2026-11-21T12:05:00.000Z"),
      recipient("b@alice.example", "451 4.3.0 \u001b[31mtoo busy", "2026-11-21T12:01:30.000Z"),
    ],
  }

  test("is a line for each message and a line for each reason, 80 characters wide", () => {
    const text = queueText([message], now, 80)
    expect(text.split("\n")).toEqual([
      "ID                AGE  SIZE    NEXT TRY  FRIEND, RECIPIENTS",
      "abcdefghijklmnop  1 d  1.2 MB  in 1 min  alice, a@alice.example and 1 more",
      "",
      "2 × 451 4.3.0 \u{FFFD}[31mtoo busy",
      "",
      "1 message, 1.2 MB",
    ])
  })

  test("shows every recipient of a message, and no control character of a stranger's", () => {
    const text = messageText(message, now, 80)
    expect(text).toContain("from     <> (a notice; never answered)")
    expect(text).toContain("state  waiting, next try 2026-11-21T12:05:00.000Z (in 5 min)")
    expect(text).not.toContain("\u001b")
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80)
  })
})

function recipient(address: string, why: string, nextTryAt: string): QueuedMessage["recipients"][number] {
  return { address, state: "waiting", why, tries: 2, nextTryAt }
}

function configuration(port: number, away: number): string {
  return `relay: { name: relay.bob.example, state: ./state }
listeners: { smtp: { bind: ["127.0.0.1:${port}"], protocol: smtp } }
friends:
  alice: { domains: [alice.example], routes: { smtp: { mode: peer, to: "127.0.0.1:${away}", tls: opportunistic } } }
`
}

type Line = Readonly<Record<string, unknown>>

async function relayWhoseFriendIsAway(): Promise<{ port: number; said: () => readonly Line[] }> {
  const port = await freePort()
  await writeFile(file, configuration(port, await freePort()))
  const child = startWaypost(["relay", "-c", file, "--engine", "javascript"])
  running.push(child)
  let output = ""
  child.stdout.on("data", (piece: Buffer) => (output += piece.toString()))
  const lines = () => output.split("\n").slice(0, -1)
  const said = () => lines().map((line) => JSON.parse(line) as Line)
  await eventually("started", () => said().some(({ msg }) => msg === "started"))
  return { port, said }
}
