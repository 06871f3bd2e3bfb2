/**
 * The box's journal on a disk that fails. strace makes one write, fsync or rename of it fail, another one in each run, or a
 * row of them: no mail is passed on while it could not be remembered, none is lost, none comes twice, and afterwards all of
 * it is remembered.
 */
import { execFile } from "node:child_process"
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { promisify } from "node:util"
import { expect, test } from "@jest/globals"
import { openMailJournal } from "../../src/box/mail-journal.ts"
import { systemClock } from "../../src/clock/clock.ts"
import { silentLog } from "../../src/log/log.ts"
import { sealIdentity } from "../../src/seal/identity.ts"
import { judgePath, withJudges } from "../support/judge.ts"
import { idOf } from "../support/mail-taker.ts"
import { nextHop } from "../support/next-hop.ts"
import { scratchFolder } from "../support/program.ts"

const MAILS = 9
/** A disk that is full for some calls in a row. */
const FOR_A_WHILE = "2..7"

type Run = {
  /** How many calls strace made fail. */
  readonly failed: number
  readonly taken: readonly string[]
  readonly later: readonly string[]
  readonly arrived: readonly string[]
  readonly remembered: readonly string[]
}

withJudges(["strace"], () => {
  test.each([
    ["write", "ENOSPC"],
    ["write", "EIO"],
    ["fdatasync", "EIO"],
    ["fsync", "EIO"],
    ["rename", "EIO"],
  ])(
    "one %s that fails with %s costs no mail and doubles none, wherever it is",
    async (call, error) => {
      let failures = 0
      for (let when = 1; ; when++) {
        const run = await takeUnderStrace(call, `${error}:when=${when}`)
        expectOnceEach(run)
        if (run.failed === 0) break
        failures += run.failed
      }
      expect(failures).toBeGreaterThan(0)
    },
    300_000,
  )

  test.each([
    ["write", "ENOSPC"],
    ["fsync", "EIO"],
  ])(
    "while every %s fails with %s the relay is asked to come later, and then it goes on",
    async (call, error) => {
      const run = await takeUnderStrace(call, `${error}:when=${FOR_A_WHILE}`)
      expectOnceEach(run)
      expect(run.later.length).toBeGreaterThan(0)
    },
    300_000,
  )
})

function expectOnceEach({ taken, arrived, remembered }: Run): void {
  expect(taken).toEqual(Array.from({ length: MAILS }, (_, number) => idOf(number)))
  expect(arrived).toEqual(taken)
  expect(remembered).toEqual(taken)
}

async function takeUnderStrace(call: string, inject: string): Promise<Run> {
  await using folder = await scratchFolder()
  await using hop = await nextHop()
  const state = join(folder.path, "state")
  await mkdir(state)
  await sealIdentity(state) // the journal alone is to be touched
  const trace = join(folder.path, "trace")
  const journal = join(state, "mail.journal")
  const paths = [state, journal, `${journal}.new`].flatMap((path) => ["-P", path])
  const strace = ["-f", "-qq", "-o", trace, ...paths, "-e", `trace=${call}`, "-e", `inject=${call}:error=${inject}`]
  const box = [process.execPath, "test/support/mail-taker.ts", state, String(hop.port), String(MAILS)]
  const { stdout } = await promisify(execFile)(judgePath("strace"), [...strace, ...box])
  const said = (what: string) =>
    stdout.split("\n").flatMap((line) => (line.startsWith(`${what} `) ? [line.slice(what.length + 1)] : []))
  const taken = said("taken").toSorted()
  const reopened = await openMailJournal(state, systemClock, silentLog)
  return {
    failed: (await readFile(trace, "utf8")).split("(INJECTED)").length - 1,
    taken,
    later: said("later"),
    arrived: hop.messages.map(({ content }) => subjectOf(content)).toSorted(),
    remembered: taken.filter((id) => reopened.taken(`bob ${id}`).length > 0),
  }
}

function subjectOf(content: Buffer): string {
  return /^Subject: (?<id>\S+)/.exec(content.toString())?.groups?.["id"] ?? ""
}
