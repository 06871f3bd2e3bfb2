import { expect, test } from "@jest/globals"
import { systemClock } from "../../../../src/clock/clock.ts"
import type { Hostname } from "../../../../src/names/hostname.ts"
import { IncomingMessage } from "../../../../src/smtp/intake/incoming-message.ts"
import { contentOf, envelope, temporarySpool } from "../../../support/spool.ts"

test("memory of what was taken goes back at once, and the message is whole", async () => {
  await using kept = await temporarySpool()
  const draft = kept.spool.draft()
  const message = new IncomingMessage(draft, {
    ending: "dot",
    name: "relay.bob.example" as Hostname,
    received: "Received: here\r\n",
    bytesMax: 1_000_000,
    clock: systemClock,
    passage: undefined,
    authentication: undefined,
  })
  const pieces = Array.from({ length: 5 }, (_, index) => Buffer.alloc(70_000, `\r\n${index} of a large mail`))
  const whole = Buffer.concat([Buffer.from("Subject: noon\r\n"), ...pieces])
  await message.take(Buffer.from("Subject: noon\r\n"))
  for (const piece of pieces) expect(await message.take(piece)).toEqual({ consumedBytes: 70_000, ended: false })
  expect(pieces.map(({ length }) => length)).toEqual([0, 0, 0, 0, 0])
  const last = Buffer.from("\r\n.\r\nQUIT\r\n")
  expect(await message.take(last)).toEqual({ consumedBytes: 5, ended: true })
  expect(last.toString()).toContain("QUIT")
  expect(await message.finish(envelope())).toEqual({ kind: "kept" })
  const read = await contentOf(kept.spool, draft.id)
  expect(read.toString()).toBe(`Received: here\r\n${whole.toString()}\r\n`)
})
