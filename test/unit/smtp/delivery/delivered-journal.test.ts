import { appendFile, readFile, stat } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { silentLog } from "../../../../src/log/log.ts"
import { openDeliveredJournal } from "../../../../src/smtp/delivery/delivered-journal.ts"
import type { MessageId } from "../../../../src/store/spool.ts"
import { desk, routesOf, routeTo } from "../../../support/delivery.ts"
import { nextHop } from "../../../support/next-hop.ts"
import { scratchFolder } from "../../../support/program.ts"
import { keep, temporarySpool } from "../../../support/spool.ts"

const noted = (id: string, ...recipients: string[]) => ({ message: id as MessageId, recipients })

test("what was noted is there after the process has gone", async () => {
  await using state = await scratchFolder()
  const journal = openDeliveredJournal(state.path, silentLog)
  journal.note(noted("aaa", "dave@dave.example", '"a\n b"@dave.example'))
  journal.note(noted("bbb", "dave@dave.example"))
  // no close: that is what a kill is
  const next = openDeliveredJournal(state.path, silentLog)
  expect(next.leftOver).toEqual([
    noted("aaa", "dave@dave.example", '"a\n b"@dave.example'),
    noted("bbb", "dave@dave.example"),
  ])
  journal.close()
  next.close()
})

test("a line that was cut off costs itself and nothing else", async () => {
  await using state = await scratchFolder()
  const file = join(state.path, "delivered.journal")
  await appendFile(file, '{"message":"aaa","recipients":["a@b"]}\nnonsense\n{"message":1,"recipients":[]}\n{"mess')
  const journal = openDeliveredJournal(state.path, silentLog)
  expect(journal.leftOver).toEqual([noted("aaa", "a@b")])
  journal.note(noted("bbb", "a@b"))
  journal.close()
  const next = openDeliveredJournal(state.path, silentLog)
  expect(next.leftOver).toEqual([noted("aaa", "a@b"), noted("bbb", "a@b")])
  next.close()
})

test("it is cut to nothing when it has grown and everything in it is in the spool", async () => {
  await using state = await scratchFolder()
  const journal = openDeliveredJournal(state.path, silentLog)
  for (let number = 0; number < 3000; number++) journal.note(noted(`m${number}`, "dave@dave.example"))
  for (let number = 0; number < 2999; number++) journal.settled()
  expect((await stat(join(state.path, "delivered.journal"))).size).toBeGreaterThan(64 * 1024)
  journal.settled()
  expect((await readFile(join(state.path, "delivered.journal"))).length).toBe(0)
  journal.note(noted("last", "dave@dave.example"))
  expect((await readFile(join(state.path, "delivered.journal"), "utf8")).trim()).toBe(
    JSON.stringify(noted("last", "dave@dave.example")),
  )
  journal.close()
})

test("mail that was taken before the relay was killed is not sent again", async () => {
  await using hop = await nextHop()
  await using kept = await temporarySpool()
  const taken = await keep(kept.spool, "Subject: taken\r\n\r\n")
  const waiting = await keep(kept.spool, "Subject: waiting\r\n\r\n")
  const journal = openDeliveredJournal(kept.folder, silentLog)
  journal.note(noted(taken, "dave@dave.example"))
  journal.note(noted("long gone", "dave@dave.example"))
  const after = openDeliveredJournal(kept.folder, silentLog)
  await using at = await desk({ routeOf: routesOf(routeTo(hop)), journal: after }, undefined, kept.spool)
  await at.gone(taken)
  await at.gone(waiting)
  expect(hop.messages.map(({ content }) => content.toString())).toEqual(["Subject: waiting\r\n\r\n"])
  journal.close()
})
