import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import {
  MAILS_PER_FILE_MAX,
  openMailJournal,
  REMEMBERED_MS_MIN,
  type MailJournal,
} from "../../../src/box/mail-journal.ts"
import { handClock, type HandClock } from "../../support/hand-clock.ts"
import { keptLog } from "../../support/kept-log.ts"

let folder: string
let clock: HandClock
const open: MailJournal[] = []
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-journal-"))
  clock = handClock()
})
afterEach(async () => {
  for (const one of open.splice(0)) one.close()
  await rm(folder, { recursive: true, force: true })
})

async function journal(log = keptLog()): Promise<MailJournal> {
  const opened = await openMailJournal(folder, clock, log)
  open.push(opened)
  return opened
}

const taken = (recipient: string) => ({ recipient, reply: "250 2.0.0 Ok", dsn: true })
const file = () => join(folder, "mail.journal")

test("what was noted is known, and known again after a restart", async () => {
  const first = await journal()
  expect(first.isSound()).toBe(true)
  await Promise.all([first.note("bob a", [taken("dave@x")]), first.note("bob b", [taken("erin@x")])])
  await first.note("bob a", [taken("frank@x")])
  for (const one of [first, await journal()]) {
    expect(one.taken("bob a")).toEqual([taken("dave@x"), taken("frank@x")])
    expect(one.taken("bob b")).toEqual([taken("erin@x")])
    expect(one.taken("bob c")).toEqual([])
  }
  expect((await stat(file())).mode & 0o777).toBe(0o600)
})

test("the kernel has it before anything else can happen", async () => {
  const first = await journal()
  first.isSound()
  const noted = first.note("bob a", [taken("dave@x")])
  expect(await readFile(file(), "utf8")).toContain("dave@x") // a killed process leaves it there
  await noted
})

test("a line that a crash cut off is passed over, and does not swallow the next", async () => {
  await writeFile(file(), '{"at":1,"mail":"bob a","taken":[]}\n{"at":2,"mail":"bob b","ta')
  const next = await journal()
  expect(next.isSound()).toBe(true)
  await next.note("bob c", [taken("dave@x")])
  expect((await journal()).taken("bob c")).toEqual([taken("dave@x")])
})

test("nothing is forgotten for a week, and everything after two", async () => {
  const first = await journal()
  first.isSound()
  await first.note("bob a", [taken("dave@x")])
  await clock.turn(REMEMBERED_MS_MIN)
  expect(first.isSound()).toBe(true)
  await first.note("bob b", [taken("erin@x")])
  expect([first.taken("bob a"), first.taken("bob b")]).toEqual([[taken("dave@x")], [taken("erin@x")]])
  expect((await journal()).taken("bob a")).toEqual([taken("dave@x")])
  await clock.turn(REMEMBERED_MS_MIN)
  expect(first.isSound()).toBe(true)
  expect([first.taken("bob a"), first.taken("bob b")]).toEqual([[], [taken("erin@x")]])
})

test("it does not grow for ever", async () => {
  const line = (index: number) => `{"at":${clock.now()},"mail":"bob ${index}","taken":[]}\n`
  await writeFile(file(), Array.from({ length: MAILS_PER_FILE_MAX }, (_, index) => line(index)).join(""))
  const full = await journal()
  expect(full.isSound()).toBe(true)
  expect((await stat(file())).size).toBe(0)
  expect((await stat(`${file()}.before`)).size).toBeGreaterThan(MAILS_PER_FILE_MAX)
})

test("a file that cannot be begun after a full one is begun later, and nothing is forgotten", async () => {
  const line = (index: number) => `{"at":${clock.now()},"mail":"bob ${index}","taken":[]}\n`
  await writeFile(file(), Array.from({ length: MAILS_PER_FILE_MAX - 1 }, (_, index) => line(index)).join(""))
  const first = await journal()
  expect(first.isSound()).toBe(true)
  await first.note("bob a", [taken("dave@x")])
  await mkdir(`${file()}.new`)
  expect(first.isSound()).toBe(false)
  await first.note("bob b", [taken("erin@x")])
  await rm(`${file()}.new`, { recursive: true })
  expect(first.isSound()).toBe(true)
  for (const one of [first, await journal()])
    expect([one.taken("bob a"), one.taken("bob b")]).toEqual([[taken("dave@x")], [taken("erin@x")]])
})

test("where it cannot be written nothing is sound, and once it can everything is there", async () => {
  const log = keptLog()
  const first = await journal(log)
  await rm(folder, { recursive: true })
  expect(first.isSound()).toBe(false)
  await first.note("bob a", [taken("dave@x")])
  expect(first.taken("bob a")).toEqual([taken("dave@x")])
  expect(log.all("mail-journal-not-written").length).toBeGreaterThan(0)
  await mkdir(folder)
  expect(first.isSound()).toBe(true)
  expect((await journal()).taken("bob a")).toEqual([taken("dave@x")])
})
