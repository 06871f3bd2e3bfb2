/**
 * The power fails while mail comes in, at 200 moments: whatever was acknowledged before is there and whole. Then the
 * same with an fsync that does nothing, to see that this would be noticed.
 */
import { execFile } from "node:child_process"
import { mkdir, writeFile } from "node:fs/promises"
import { promisify } from "node:util"
import { expect, test } from "@jest/globals"
import type { MessageId } from "../../src/store/spool.ts"
import { judgePath, withJudges } from "../support/judge.ts"
import { contentFor } from "../support/keeper.ts"
import { seededDice } from "../support/seeded-dice.ts"
import { DiskModel, readDeeds, straceFor, type Deed, type Unsynced } from "../support/power-cut.ts"
import { scratchFolder } from "../support/program.ts"
import { contentOf, openTestSpool } from "../support/spool.ts"

const MOMENTS = 200
const MESSAGES = 120
const SENDERS = 10

withJudges(["strace"], () => {
  test(`nothing that was acknowledged is lost, at any of ${MOMENTS} moments`, async () => {
    const deeds = await deedsOfKeeper([])
    expect(saidBefore(deeds, deeds.length)).toHaveLength(MESSAGES)
    expect(await losses(deeds, MOMENTS)).toBe(0)
  }, 600_000)

  test("without fsync it would be", async () => {
    const deeds = await deedsOfKeeper(["-e", "inject=fsync,fdatasync:retval=0"])
    expect(await losses(deeds, MOMENTS / 10)).toBeGreaterThan(0)
  }, 600_000)
})

let state = ""

async function deedsOfKeeper(inject: readonly string[]): Promise<readonly Deed[]> {
  await using folder = await scratchFolder()
  state = `${folder.path}/state`
  const trace = `${folder.path}/trace`
  const keeper = [process.execPath, "test/support/keeper.ts", state, String(MESSAGES), String(SENDERS)]
  await promisify(execFile)(judgePath("strace"), [...straceFor(trace), ...inject, ...keeper])
  return readDeeds(trace)
}

/** How many acknowledged messages were missing, over all the moments. Torn ones fail the test at once. */
async function losses(deeds: readonly Deed[], moments: number): Promise<number> {
  const disk = new DiskModel(state)
  const dice = seededDice(1)
  let lost = 0
  let done = 0
  for (let moment = 1; moment <= moments; moment++) {
    const until = Math.floor((deeds.length * moment) / moments)
    for (; done < until; done++) disk.does(deeds[done] as Deed)
    const unsynced: Unsynced = (["none", "all", { some: dice }] as const)[moment % 3] ?? "none"
    lost += await lostAfter(disk.afterPowerCut(unsynced), saidBefore(deeds, until))
  }
  return lost
}

async function lostAfter(files: ReadonlyMap<string, Buffer>, acknowledged: readonly MessageId[]): Promise<number> {
  await using folder = await scratchFolder()
  await mkdir(`${folder.path}/state`)
  for (const [name, content] of files) await writeFile(`${folder.path}/state/${name}`, content)
  const spool = await openTestSpool(`${folder.path}/state`).catch(() => undefined)
  if (!spool) return acknowledged.length
  const there = await spool.list()
  for (const { id } of there) expect((await contentOf(spool, id)).equals(contentFor(id))).toBe(true)
  await spool.close()
  const ids = new Set(there.map(({ id }) => id))
  return acknowledged.filter((id) => !ids.has(id)).length
}

function saidBefore(deeds: readonly Deed[], until: number): MessageId[] {
  return deeds.slice(0, until).flatMap((deed) => (deed.did === "say" ? [deed.text.split(/\s/)[1] as MessageId] : []))
}
