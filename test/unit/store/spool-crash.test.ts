/** The one promise that matters: what `commit` answered for is there after the process was killed. */
import { spawn, type ChildProcess } from "node:child_process"
import { once } from "node:events"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { expect, test } from "@jest/globals"
import type { MessageId } from "../../../src/store/spool.ts"
import { contentFor } from "../../support/keeper.ts"
import { contentOf, openTestSpool } from "../../support/spool.ts"

const ROUNDS = 12
const SENDERS = 20

test(`whatever was acknowledged before a kill -9 is in the spool, ${ROUNDS} times in a row`, async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "waypost-kill-")), "state")
  const acknowledged: MessageId[] = []
  for (let round = 0; round < ROUNDS; round++) {
    acknowledged.push(...(await keepUntilKilled(folder, 5 + 17 * round)))
    const spool = await openTestSpool(folder) // the lock of the killed process is gone with it
    const kept = new Set((await spool.list()).map(({ id }) => id))
    expect(acknowledged.filter((id) => !kept.has(id))).toEqual([])
    await spool.close()
  }
  await expectWhole(folder)
  await rm(join(folder, ".."), { recursive: true })
})

test("the content of drafts that a kill left unfinished is removed at the next start", async () => {
  const folder = join(await mkdtemp(join(tmpdir(), "waypost-orphan-")), "state")
  const spool = await openTestSpool(folder)
  await spool.close()
  const file = new DatabaseSync(join(folder, "spool.db"))
  file.exec("INSERT INTO draft VALUES (7); INSERT INTO content VALUES (7 * 65536, x'00'), (7 * 65536 + 1, x'00')")
  file.close()
  await (await openTestSpool(folder)).close()
  expect(rows(folder, "draft")).toBe(0)
  expect(rows(folder, "content")).toBe(0)
  await rm(join(folder, ".."), { recursive: true })
})

/** Every message that is in the spool, acknowledged or not, has all of its content; and there is no other content. */
async function expectWhole(folder: string): Promise<void> {
  const spool = await openTestSpool(folder)
  const messages = await spool.list()
  expect(messages.length).toBeGreaterThan(100)
  let chunks = 0
  for (const { id, sizeBytes } of messages) {
    const content = await contentOf(spool, id)
    expect(content.equals(contentFor(id))).toBe(true)
    chunks += Math.ceil(sizeBytes / 65_536)
  }
  await spool.close()
  expect(rows(folder, "content")).toBe(chunks)
  expect(rows(folder, "draft")).toBe(0)
}

async function keepUntilKilled(folder: string, afterLines: number): Promise<MessageId[]> {
  const keeper = spawn(process.execPath, ["test/support/keeper.ts", folder, "100000", String(SENDERS)], {
    stdio: ["ignore", "pipe", "inherit"],
  })
  const closed = once(keeper, "close")
  const said = await readUntil(keeper, afterLines)
  await closed
  return said
    .split("\n")
    .slice(0, -1)
    .map((line) => line.replace("kept ", "") as MessageId)
}

/** Everything the program says, also what was on its way when it was killed. */
async function readUntil(keeper: ChildProcess, lines: number): Promise<string> {
  let said = ""
  for await (const piece of keeper.stdout ?? []) {
    said += String(piece)
    if (said.split("\n").length > lines) keeper.kill("SIGKILL")
  }
  return said
}

function rows(folder: string, table: string): number {
  const file = new DatabaseSync(join(folder, "spool.db"))
  const count = file.prepare(`SELECT count(*) AS n FROM ${table}`).get()?.["n"]
  file.close()
  return Number(count)
}
