/**
 * The spool on a disk that fails. strace makes one write or one fsync of the spool's thread fail, another one in each
 * run: whatever was answered for is there, whole, and whatever was refused is not.
 */
import { execFile } from "node:child_process"
import { promisify } from "node:util"
import { expect, test } from "@jest/globals"
import type { MessageId } from "../../src/store/spool.ts"
import { judgePath, withJudges } from "../support/judge.ts"
import { contentFor } from "../support/keeper.ts"
import { scratchFolder } from "../support/program.ts"
import { contentOf, openTestSpool } from "../support/spool.ts"

const MESSAGES = 24
const SENDERS = 6

type Run = { readonly kept: readonly MessageId[]; readonly refused: readonly MessageId[]; readonly syncs: number }

withJudges(["strace"], () => {
  test.each([
    ["fsync", "EIO"],
    ["pwrite64", "ENOSPC"],
    ["pwrite64", "EIO"],
  ])(
    "one %s that fails with %s is never a false 250, wherever it is",
    async (call, error) => {
      let refusals = 0
      for (let when = 1; when < 200; when += call === "fsync" ? 1 : 9) {
        await using folder = await scratchFolder()
        const run = await keepUnderStrace(folder.path, ["-e", `inject=${call}:error=${error}:when=${when}`])
        await expectKept(folder.path, run)
        refusals += run.refused.length
        if (call === "fsync" && when > 15) break
      }
      expect(refusals).toBeGreaterThan(0)
    },
    600_000,
  )

  test("messages that wait together share an fsync", async () => {
    await using folder = await scratchFolder()
    const run = await keepUnderStrace(folder.path, [], 200)
    expect(run.kept).toHaveLength(200)
    expect(run.syncs).toBeLessThan(200)
  })
})

async function keepUnderStrace(folder: string, inject: readonly string[], messages = MESSAGES): Promise<Run> {
  const trace = `${folder}/trace`
  const strace = ["-f", "-qq", "-o", trace, "-e", "trace=fsync,fdatasync,pwrite64", ...inject]
  const keeper = [process.execPath, "test/support/keeper.ts", `${folder}/state`, String(messages), String(SENDERS)]
  const run = promisify(execFile)
  // A fault while opening ends the program, which is an answer too.
  const { stdout } = await run(judgePath("strace"), [...strace, ...keeper]).catch(outputOf)
  const { stdout: syncs } = await run("grep", ["-c", "sync(", trace]).catch(outputOf)
  const said = (what: string) =>
    stdout.split("\n").flatMap((line) => (line.startsWith(what) ? [line.split(" ")[1] as MessageId] : []))
  return { kept: said("kept"), refused: said("refused"), syncs: Number(syncs) }
}

function outputOf(failure: { readonly stdout: string }): { readonly stdout: string } {
  return failure
}

async function expectKept(folder: string, { kept, refused }: Run): Promise<void> {
  const spool = await openTestSpool(`${folder}/state`)
  const there = (await spool.list()).map(({ id }) => id)
  expect(kept.filter((id) => !there.includes(id))).toEqual([])
  expect(refused.filter((id) => there.includes(id))).toEqual([])
  for (const id of there) expect((await contentOf(spool, id)).equals(contentFor(id))).toBe(true)
  await spool.close()
}
