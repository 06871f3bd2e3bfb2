import { rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { writeHashedRecipients } from "../../../../src/route/hashed-recipients.ts"
import { LOOK_AGAIN_MS, RecipientLists } from "../../../../src/smtp/intake/recipient-lists.ts"
import { handClock } from "../../../support/hand-clock.ts"
import { keptLog } from "../../../support/kept-log.ts"
import { scratchFolder } from "../../../support/program.ts"

const DAVE = "dave@dave.example"
const ERIN = "erin@dave.example"

test("a list is read when it is asked for, and again when the friend has pushed another", async () => {
  await using folder = await scratchFolder()
  const [clock, log, file] = [handClock(), keptLog(), join(folder.path, "dave.recipients")]
  const lists = new RecipientLists(clock, log)
  expect(lists.of(file)).toBeUndefined()
  expect(log.all("recipients-unreadable")).toHaveLength(1)

  await writeFile(file, writeHashedRecipients([DAVE]))
  expect(lists.of(file)).toBeUndefined() // not looked at so soon
  await clock.turn(LOOK_AGAIN_MS)
  expect(lists.of(file)?.has(DAVE)).toBe(true)

  await rm(file)
  await writeFile(file, writeHashedRecipients([DAVE, ERIN]))
  await clock.turn(LOOK_AGAIN_MS)
  expect(lists.of(file)?.has(ERIN)).toBe(true)
})

test("until a new list is whole, the last one holds", async () => {
  await using folder = await scratchFolder()
  const [clock, log, file] = [handClock(), keptLog(), join(folder.path, "dave.recipients")]
  const lists = new RecipientLists(clock, log)
  await writeFile(file, writeHashedRecipients([DAVE]))
  expect(lists.of(file)?.has(DAVE)).toBe(true)
  for (const wrong of ["half", ""]) {
    await writeFile(file, wrong)
    await clock.turn(LOOK_AGAIN_MS)
    expect(lists.of(file)?.has(DAVE)).toBe(true)
  }
  await rm(file)
  await clock.turn(LOOK_AGAIN_MS)
  expect(lists.of(file)?.has(DAVE)).toBe(true)
  expect(log.all("recipients-unreadable")).toHaveLength(3)
})
