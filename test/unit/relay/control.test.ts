import { describe, expect, test } from "@jest/globals"
import { stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { silentLog } from "../../../src/log/log.ts"
import { askSenders, controlOf } from "../../../src/relay/ask-control.ts"
import { queueThrough } from "../../../src/relay/ask-queue.ts"
import { controlPath, openControl, type Asked } from "../../../src/relay/control.ts"
import type { Chosen, MailQueue } from "../../../src/relay/mail-queue.ts"
import { PreludeAccounts } from "../../../src/relay/prelude-accounts.ts"
import type { QueueChange } from "../../../src/relay/queue-change.ts"
import { keptLog } from "../../support/kept-log.ts"
import { scratchFolder } from "../../support/program.ts"

const ALL: Chosen = { id: undefined, friend: undefined }

describe("the control socket", () => {
  test("carries questions and changes as they were asked", async () => {
    await using folder = await scratchFolder()
    const asked: [QueueChange | "list", Chosen, string?][] = []
    await using _open = await openControl(folder.path, about(queueThatNotes(asked)), silentLog)
    const chosen = { id: "abc", friend: "zoë & co" }
    expect(await queueIn(folder.path).list(ALL)).toEqual([])
    expect(await queueIn(folder.path).change({ how: "hold" }, chosen)).toEqual({ messages: 1, recipients: 2 })
    expect(asked).toEqual([
      ["list", ALL],
      [{ how: "hold" }, chosen, "the operator"],
    ])
  })

  test("tells how senders come to ports that friends share", async () => {
    await using folder = await scratchFolder()
    const preludes = new PreludeAccounts()
    preludes.count("smtp", "alice", "named", "carried")
    await using _open = await openControl(folder.path, { ...about(queueThatNotes([])), preludes }, silentLog)
    expect(await askSenders(folder.path)).toEqual(preludes.all())
  })

  test("is its owner's alone", async () => {
    await using folder = await scratchFolder()
    await using _open = await openControl(folder.path, about(queueThatNotes([])), silentLog)
    expect((await stat(controlPath(folder.path))).mode & 0o777).toBe(0o600)
  })

  test("replaces what a killed relay left behind, and leaves nothing itself", async () => {
    await using folder = await scratchFolder()
    await writeFile(controlPath(folder.path), "")
    await using open = await openControl(folder.path, about(queueThatNotes([])), silentLog)
    expect(await queueIn(folder.path).list(ALL)).toEqual([])
    await open[Symbol.asyncDispose]()
    await expect(stat(controlPath(folder.path))).rejects.toMatchObject({ code: "ENOENT" })
  })

  test("that nobody listens at says that no relay is running, and what to do", async () => {
    await using folder = await scratchFolder()
    await expect(queueIn(folder.path).list(ALL)).rejects.toMatchObject({
      fault: { code: "RELAY_NOT_RUNNING", detail: expect.stringContaining('start it with "waypost relay -c FILE"') },
    })
  })

  test("whose queue fails says so, and goes on", async () => {
    await using folder = await scratchFolder()
    const broken: MailQueue = { ...queueThatNotes([]), list: () => Promise.reject(new Error("the disk is gone")) }
    await using _open = await openControl(folder.path, about(broken), silentLog)
    await expect(queueIn(folder.path).list(ALL)).rejects.toThrow("the disk is gone")
    expect(await queueIn(folder.path).change({ how: "flush" }, ALL)).toEqual({ messages: 1, recipients: 2 })
  })

  test("that cannot be made does not keep the relay from running", async () => {
    await using folder = await scratchFolder()
    const log = keptLog()
    await using _none = await openControl(join(folder.path, "x".repeat(120)), about(queueThatNotes([])), log)
    expect(log.all("no control socket")).toHaveLength(1)
  })
})

function queueIn(folder: string) {
  return queueThrough(controlOf(folder))
}

function about(queue: MailQueue): Asked {
  return { queue, traffic: { all: () => [] }, preludes: new PreludeAccounts() }
}

function queueThatNotes(asked: [QueueChange | "list", Chosen, string?][]): MailQueue {
  return {
    list: async (chosen) => {
      asked.push(["list", chosen])
      return []
    },
    audit: async () => [],
    note: async () => undefined,
    change: async (change, chosen, who) => {
      asked.push([change, chosen, who])
      return { messages: 1, recipients: 2 }
    },
  }
}
