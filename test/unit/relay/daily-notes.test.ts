import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { dailyNotes, NOTES_LOOK_MS } from "../../../src/relay/daily-notes.ts"
import { mailQueue } from "../../../src/relay/mail-queue.ts"
import { waitingNote } from "../../../src/relay/waiting-note.ts"
import type { QueuedMessage } from "../../../src/relay/queued.ts"
import { BOB, DAY_MS, desk, HOUR_MS, routesOf, routeTo, type Desk } from "../../support/delivery.ts"
import { eventually } from "../../support/eventually.ts"
import { freePort, scratchFolder } from "../../support/program.ts"
import { contentOf } from "../../support/spool.ts"

const NOW = Date.parse("2026-11-29T12:00:00Z")

describe("the note to a friend", () => {
  test("says what waits, since when, why and until when, the oldest first, and what was held", () => {
    const held = message("c", 90, {
      state: "held",
      why: "held, not told: 550 5.1.1 no such user",
      nextTryAt: undefined,
    })
    const note = waitingNote([message("a", 5), message("b", 30), held], "relay.bob.example", NOW)
    expect(note?.subject).toBe("2 mails waiting, 1 mail held, at relay.bob.example")
    expect(note?.lines.join("\n"))
      .toBe(`The mail relay relay.bob.example keeps mail for you that has not reached your server.
Nobody but you is told of this.

Waiting, and tried again by itself:

  b, from carol@sender.example, came 2026-11-28T06:00:00.000Z (30 h ago)
    to dave@dave.example: The next host is not answering; next try 2026-11-29T13:00:00.000Z

  a, from carol@sender.example, came 2026-11-29T07:00:00.000Z (5 h ago)
    to dave@dave.example: The next host is not answering; next try 2026-11-29T13:00:00.000Z

Held: it stays until you release, redirect or delete it, or until it is forgotten:

  c, from carol@sender.example, came 2026-11-25T18:00:00.000Z (90 h ago)
    to dave@dave.example: held, not told: 550 5.1.1 no such user

To look closer and to change it: waypost queue, with your token or your box.`)
  })

  test("is not written of what is not late", () => {
    expect(waitingNote([message("a", 3)], "relay.bob.example", NOW)).toBeUndefined()
    expect(waitingNote([], "relay.bob.example", NOW)).toBeUndefined()
  })

  test("counts what would be too long to read, and lets no stranger write lines into it", () => {
    const many = Array.from({ length: 60 }, (_, at) => message(`m${at}`, 10 + at, { why: "x\r\nBcc: all\u2028y" }))
    const lines = waitingNote(many, "relay.bob.example", NOW)?.lines ?? []
    expect(lines).toContain("  … and 10 more")
    expect(lines.every((line) => !/[\r\n\u2028]/.test(line))).toBe(true)
  })
})

describe("daily notes", () => {
  test("one a day while something waits, from the null sender, to whom it concerns, and never about themselves", async () => {
    await using at = await desk({
      routeOf: routesOf(routeTo({ port: await freePort() })),
      resolver: async () => ({ kind: "failed", why: "it does not answer" }),
    })
    await using folder = await scratchFolder()
    const id = await at.mail()
    await at.deferred(id)
    const notes = started(at, folder.path)
    const told = async () => at.spool.list("(relay)")
    await at.clock.turn(3 * HOUR_MS)
    expect(await told()).toEqual([])
    await at.clock.turn(2 * HOUR_MS)
    const [note] = await eventually("he is told", async () => ((await told()).length === 1 ? told() : undefined))
    expect(note).toMatchObject({ from: "", recipients: [{ address: "dave@elsewhere.example", notify: ["NEVER"] }] })
    const text = String(await contentOf(at.spool, note?.id ?? id))
    expect(text).toMatch(/^Auto-Submitted: auto-generated\r$/m)
    expect(text).toMatch(/^Subject: 1 mail waiting, 0 mails held, at relay\.bob\.example\r$/m)
    expect(text).toContain(id)
    expect(text).not.toContain("Meet me")
    await eventually("it is written down", () =>
      readFile(join(folder.path, "notes", "dave.json"), "utf8").catch(() => undefined),
    )
    await at.clock.turn(20 * HOUR_MS)
    expect(await told()).toHaveLength(1)
    notes.stop()
    // A restart writes none twice; a day later there is another, and still about Dave's one mail alone.
    const again = started(at, folder.path)
    await at.clock.turn(NOTES_LOOK_MS)
    expect(await told()).toHaveLength(1)
    await eventually("he is told again", async () => {
      await at.clock.turn(DAY_MS / 8)
      return (await told()).length === 2
    })
    again.stop()
  })
})

function started(at: Desk, stateFolder: string) {
  const { spool, delivery, clock, log } = at
  const redirects = { mailRoute: () => undefined, listIn: () => undefined }
  const trail = { append: async () => {}, read: async () => [] }
  const queue = mailQueue({ name: BOB, spool, delivery, trail, redirects, clock, log })
  const wanted = () => [{ friend: "dave", to: "dave@elsewhere.example" }]
  return dailyNotes({ stateFolder, name: BOB, wanted, queue, spool, kept: () => {}, clock, log })
}

function message(
  id: string,
  hoursOld: number,
  recipient: Partial<QueuedMessage["recipients"][number]> = {},
): QueuedMessage {
  const waiting = {
    state: "waiting",
    why: "The next host is not answering",
    tries: 3,
    nextTryAt: "2026-11-29T13:00:00.000Z",
  } as const
  return {
    id,
    friend: "dave",
    from: "carol@sender.example",
    receivedAt: new Date(NOW - hoursOld * HOUR_MS).toISOString(),
    sizeBytes: 1000,
    recipients: [{ address: "dave@dave.example", ...waiting, ...recipient }],
  }
}
