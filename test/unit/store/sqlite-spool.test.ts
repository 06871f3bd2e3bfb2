import { randomBytes } from "node:crypto"
import { stat } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import type { Attempt, Except, MessageId } from "../../../src/store/spool.ts"
import { contentOf, envelope, keep, openTestSpool, temporarySpool } from "../../support/spool.ts"

const delivered: Attempt = { at: "done", how: "delivered", when: 2_000_000, lastReply: "250 2.0.0 ok" }

function later(until: number): Attempt {
  return { at: "waiting", until, tries: 1, lastReply: "451 4.3.0 later" }
}

function recipient(address: string) {
  return { address, notify: undefined, orcpt: undefined }
}

describe("a message that was committed", () => {
  test("comes back with its envelope, as it was given", async () => {
    await using kept = await temporarySpool()
    const given = envelope({
      recipients: [
        { address: "dave@dave.example", notify: ["SUCCESS", "DELAY"], orcpt: "rfc822;Dave@dave.example" },
        recipient("jõgeva@dave.example"),
      ],
      smtputf8: true,
      requireTls: true,
      ret: "HDRS",
      envid: "a+b=c",
      client: { ...envelope().client, tls: "TLSv1.3 TLS_AES_256_GCM_SHA384" },
    })
    const id = await keep(kept.spool, "Subject: hi\r\n\r\nhi\r\n", given)
    const waiting = { at: "waiting", until: given.receivedAt, tries: 0, lastReply: undefined }
    const recipients = given.recipients.map((one) => ({ ...one, attempt: waiting }))
    expect(await kept.spool.find(id)).toEqual({ ...given, id, sizeBytes: 19, recipients })
    expect(await kept.spool.list()).toEqual([await kept.spool.find(id)])
    expect(await kept.spool.list("alice")).toEqual([])
  })

  test.each([0, 1, 65_535, 65_536, 65_537, 1_000_000])("has its %d bytes of content unchanged", async (bytes) => {
    await using kept = await temporarySpool()
    const content = randomBytes(bytes)
    const draft = kept.spool.draft()
    for (let at = 0; at < bytes; at += 7001) await draft.write(content.subarray(at, at + 7001))
    await draft.commit(envelope())
    expect((await contentOf(kept.spool, draft.id)).equals(content)).toBe(true)
    expect((await kept.spool.find(draft.id))?.sizeBytes).toBe(bytes)
  })

  test.each([0, 1, 65_535, 65_536, 65_537, 300_000])(
    "has what was known at its end above its %d bytes, which could be read before",
    async (bytes) => {
      await using kept = await temporarySpool()
      const content = randomBytes(bytes)
      const draft = kept.spool.draft()
      await draft.write(content)
      const before: Uint8Array[] = []
      for await (const piece of draft.content()) before.push(piece)
      expect(Buffer.concat(before)).toEqual(content)
      await draft.commit(envelope(), Buffer.from("Top: 1\r\n"))
      expect(await contentOf(kept.spool, draft.id)).toEqual(Buffer.concat([Buffer.from("Top: 1\r\n"), content]))
      expect(await kept.spool.find(draft.id)).toMatchObject({ sizeBytes: bytes + 8 })
      expect(await kept.spool.usage("dave")).toEqual({ messages: 1, bytes: bytes + 8 })
    },
  )

  test("is still there after the spool was closed and opened again", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "hello\r\n")
    await kept.spool.close()
    const again = await openTestSpool(kept.folder)
    expect(String(await contentOf(again, id))).toBe("hello\r\n")
    await again.close()
  })

  test("stays, also when the draft is discarded while it is being committed", async () => {
    await using kept = await temporarySpool()
    const draft = kept.spool.draft()
    await draft.write(randomBytes(200_000))
    const committed = draft.commit(envelope())
    await draft.discard()
    await committed
    expect(await contentOf(kept.spool, draft.id)).toHaveLength(200_000)
  })

  test("is one of many that were committed at the same time", async () => {
    await using kept = await temporarySpool()
    const ids = await Promise.all(Array.from({ length: 200 }, (_, i) => keep(kept.spool, `message ${i}\r\n`)))
    const contents = await Promise.all(ids.map(async (id) => String(await contentOf(kept.spool, id))))
    expect(contents).toEqual(ids.map((_, i) => `message ${i}\r\n`))
    expect(await kept.spool.usage("dave")).toEqual({ messages: 200, bytes: contents.join("").length })
  })

  test("is listed, also when there are more than fit on a page", async () => {
    await using kept = await temporarySpool()
    const ids = await Promise.all(
      Array.from({ length: 1100 }, (_, i) => keep(kept.spool, "", { friend: i % 2 === 0 ? "dave" : "alice" })),
    )
    expect((await kept.spool.list()).map(({ id }) => id)).toEqual(ids)
    expect((await kept.spool.list("alice")).map(({ id }) => id)).toEqual(ids.filter((_, i) => i % 2 === 1))
  })

  test("gives its header up to the empty line, in whole lines", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "A: 1\r\nB: 2\r\n\r\nbody\r\n")
    expect(String(await kept.spool.header(id, 1000))).toBe("A: 1\r\nB: 2\r\n")
    expect(String(await kept.spool.header(id, 10))).toBe("A: 1\r\n")
    const bare = await keep(kept.spool, "\r\nno header\r\n\r\n")
    expect(String(await kept.spool.header(bare, 1000))).toBe("")
    const endless = await keep(kept.spool, `A: ${"x".repeat(200_000)}`)
    expect(await kept.spool.header(endless, 70_000)).toHaveLength(0)
  })
})

describe("what was not committed", () => {
  test("is not in the spool, and a draft can be forgotten at any time", async () => {
    await using kept = await temporarySpool()
    const draft = kept.spool.draft()
    await draft.write(randomBytes(300_000))
    expect(await kept.spool.list()).toEqual([])
    await draft.discard()
    await draft.discard()
    await expect(draft.commit(envelope())).rejects.toMatchObject({ fault: { code: "SPOOL_FAILED" } })
    expect(await kept.spool.usage("dave")).toEqual({ messages: 0, bytes: 0 })
  })

  test("has no content to read", async () => {
    await using kept = await temporarySpool()
    const nobody = "nobody" as MessageId
    await expect(contentOf(kept.spool, nobody)).rejects.toMatchObject({ fault: { code: "SPOOL_FAILED" } })
    expect(await kept.spool.find(nobody)).toBeUndefined()
    await kept.spool.record(nobody, [{ recipient: "x", attempt: delivered }])
  })
})

describe("recipients", () => {
  test("are due oldest first, and one message counts once", async () => {
    await using kept = await temporarySpool()
    const two = { recipients: [recipient("a@dave.example"), recipient("b@dave.example")] }
    const second = await keep(kept.spool, "", { ...two, receivedAt: 2000 })
    const first = await keep(kept.spool, "", { ...two, receivedAt: 1000, friend: "alice" })
    const ids = async (now: number, limit: number, except?: Except) =>
      (await kept.spool.due(now, limit, except)).map(({ id }) => id)
    expect(await ids(999, 10)).toEqual([])
    expect(await ids(1500, 10)).toEqual([first])
    expect(await ids(2000, 10)).toEqual([first, second])
    expect(await ids(2000, 1)).toEqual([first])
    expect(await ids(2000, 10, { friends: new Set(["alice"]), messages: new Set() })).toEqual([second])
    expect(await ids(2000, 1, { friends: new Set(), messages: new Set([first]) })).toEqual([second])
    expect(await kept.spool.nextDue()).toBe(1000)
  })

  test("wait as long as the last attempt says; the message goes when all are done", async () => {
    await using kept = await temporarySpool()
    const [a, b] = ["a@dave.example", "b@dave.example"] as const
    const id = await keep(kept.spool, "x", { recipients: [recipient(a), recipient(b)], receivedAt: 1000 })
    await kept.spool.record(id, [
      { recipient: a, attempt: delivered },
      { recipient: b, attempt: later(5000.5) },
    ])
    const found = await kept.spool.find(id)
    expect(found?.recipients.map(({ attempt }) => attempt)).toEqual([delivered, later(5001)])
    expect(await kept.spool.nextDue()).toBe(5001)
    expect(await kept.spool.due(5000, 10)).toEqual([])
    await kept.spool.record(id, [{ recipient: b, attempt: { at: "held", because: "owner asked", tries: 1 } }])
    expect(await kept.spool.nextDue()).toBeUndefined()
    expect((await kept.spool.find(id))?.recipients[1]?.attempt.at).toBe("held")
    await kept.spool.record(id, [{ recipient: b, attempt: delivered }])
    expect(await kept.spool.find(id)).toBeUndefined()
    expect(await kept.spool.usage("dave")).toEqual({ messages: 0, bytes: 0 })
  })

  test("of a friend who is back become due at once", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x", { receivedAt: 1000 })
    const other = await keep(kept.spool, "x", { receivedAt: 1000, friend: "alice" })
    await kept.spool.record(id, [{ recipient: "dave@dave.example", attempt: later(9000) }])
    await kept.spool.record(other, [{ recipient: "dave@dave.example", attempt: later(9000) }])
    expect(await kept.spool.wake("dave", 2000)).toBe(1)
    expect((await kept.spool.due(2000, 10)).map((message) => message.id)).toEqual([id])
    expect(await kept.spool.wake("dave", 2000)).toBe(0)
  })
})

describe("limits", () => {
  test("a friend's share is refused beyond its quota and free again when mail has gone", async () => {
    await using kept = await temporarySpool({ perFriendBytesMax: 1000 })
    const id = await keep(kept.spool, randomBytes(900))
    await expect(keep(kept.spool, randomBytes(101))).rejects.toMatchObject({ fault: { code: "QUOTA_FULL" } })
    await keep(kept.spool, randomBytes(101), { friend: "alice" })
    await kept.spool.record(id, [{ recipient: "dave@dave.example", attempt: delivered }])
    await keep(kept.spool, randomBytes(101))
  })

  test("so is one message more than a friend may leave", async () => {
    await using kept = await temporarySpool({ perFriendMessagesMax: 2 })
    const id = await keep(kept.spool, "1")
    await keep(kept.spool, "2")
    await expect(keep(kept.spool, "3")).rejects.toMatchObject({
      fault: { code: "QUOTA_FULL", detail: "dave has 2 of 2 messages" },
    })
    await keep(kept.spool, "3", { friend: "alice" })
    await kept.spool.record(id, [{ recipient: "dave@dave.example", attempt: delivered }])
    await keep(kept.spool, "3")
  })

  test("a full disk is SPOOL_FULL, keeps nothing, and mail already kept can still go", async () => {
    await using kept = await temporarySpool({ fileBytesMax: 1_000_000 })
    const id = await keep(kept.spool, randomBytes(500_000))
    await expect(keep(kept.spool, randomBytes(700_000))).rejects.toMatchObject({ fault: { code: "SPOOL_FULL" } })
    expect(await kept.spool.list()).toHaveLength(1)
    await kept.spool.record(id, [{ recipient: "dave@dave.example", attempt: delivered }])
    await keep(kept.spool, randomBytes(700_000))
  })

  test("a disk with less than the reserve is SPOOL_FULL", async () => {
    await using kept = await temporarySpool({ diskReserveBytes: Number.MAX_SAFE_INTEGER })
    await expect(keep(kept.spool, "x")).rejects.toMatchObject({ fault: { code: "SPOOL_FULL" } })
  })
})

describe("the state folder", () => {
  test("is for its owner alone", async () => {
    await using kept = await temporarySpool()
    await keep(kept.spool, "x")
    expect((await stat(kept.folder)).mode & 0o777).toBe(0o700)
    for (const file of ["spool.db", "spool.db-wal"]) {
      expect((await stat(join(kept.folder, file))).mode & 0o777).toBe(0o600)
    }
  })

  test("belongs to one relay at a time", async () => {
    await using kept = await temporarySpool()
    await expect(openTestSpool(kept.folder)).rejects.toMatchObject({ fault: { code: "STATE_LOCKED" } })
    await keep(kept.spool, "x")
    await kept.spool.close()
    await (await openTestSpool(kept.folder)).close()
  })

  test("after close every call is refused", async () => {
    await using kept = await temporarySpool()
    const draft = kept.spool.draft()
    await draft.write(Buffer.from("x"))
    const last = draft.commit(envelope())
    await kept.spool.close()
    await last
    await expect(keep(kept.spool, "x")).rejects.toMatchObject({ fault: { code: "SPOOL_FAILED" } })
  })
})

describe("the operator", () => {
  const [a, b] = ["a@dave.example", "b@dave.example"] as const

  test("holds what waits of a message, and its release makes it due", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x", { recipients: [recipient(a), recipient(b)], receivedAt: 1000 })
    await kept.spool.record(id, [
      { recipient: a, attempt: delivered },
      { recipient: b, attempt: later(5000) },
    ])
    expect(await kept.spool.hold(id, "asked to")).toBe(1)
    expect(await kept.spool.hold(id, "asked to")).toBe(0)
    expect((await kept.spool.find(id))?.recipients.map(({ attempt }) => attempt)).toEqual([
      delivered,
      { at: "held", because: "asked to", tries: 1 },
    ])
    expect(await kept.spool.due(9000, 10)).toEqual([])
    expect(await kept.spool.release(id, 6000.5)).toBe(1)
    expect((await kept.spool.find(id))?.recipients[1]?.attempt).toEqual(later(6001))
  })

  test("does not lose the hold to a try that was under way and failed, nor the mail to one that came through", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x", { recipients: [recipient(a), recipient(b)] })
    await kept.spool.hold(id, "asked to")
    await kept.spool.record(id, [
      { recipient: a, attempt: delivered },
      { recipient: b, attempt: later(5000) },
    ])
    expect((await kept.spool.find(id))?.recipients.map(({ attempt: { at } }) => at)).toEqual(["done", "held"])
  })

  test("finds the hold again after a restart", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x")
    await kept.spool.hold(id, "asked to")
    await kept.spool.close()
    const again = await openTestSpool(kept.folder)
    expect((await again.find(id))?.recipients[0]?.attempt.at).toBe("held")
    await again.close()
  })

  test("brings one message forward, and no held one", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x", { receivedAt: 9000 })
    const held = await keep(kept.spool, "x", { receivedAt: 9000 })
    await kept.spool.hold(held, "asked to")
    expect([await kept.spool.hurry(id, 2000), await kept.spool.hurry(held, 2000)]).toEqual([1, 0])
    expect((await kept.spool.due(2000, 10)).map((message) => message.id)).toEqual([id])
  })

  test("removes a message with its content, held or not, once", async () => {
    await using kept = await temporarySpool()
    const id = await keep(kept.spool, "x", { recipients: [recipient(a), recipient(b)] })
    await kept.spool.hold(id, "asked to")
    expect([await kept.spool.remove(id), await kept.spool.remove(id)]).toEqual([2, 0])
    expect(await kept.spool.usage("dave")).toEqual({ messages: 0, bytes: 0 })
    await expect(contentOf(kept.spool, id)).rejects.toThrow("is not in the spool")
    await kept.spool.record(id, [{ recipient: a, attempt: delivered }])
  })

  test("is redirected to one address, which stands for everybody who was open", async () => {
    await using kept = await temporarySpool()
    const people = ["done", "held", "waits"].map((name) => recipient(`${name}@dave.example`))
    const id = await keep(kept.spool, "x\r\n", { recipients: people })
    await kept.spool.record(id, [{ recipient: "done@dave.example", attempt: delivered }])
    const held: Attempt = { at: "held", because: "because", tries: 3 }
    await kept.spool.record(id, [{ recipient: "held@dave.example", attempt: held }])
    expect(await kept.spool.redirect(id, "dora@dave.example", 2000.5)).toBe(2)
    const [done, first, second] = (await kept.spool.find(id))?.recipients ?? []
    expect(done?.attempt).toEqual(delivered)
    expect(first).toEqual({
      address: "dora@dave.example",
      notify: undefined,
      orcpt: "rfc822;held@dave.example",
      attempt: { at: "waiting", until: 2001, tries: 0, lastReply: undefined },
    })
    expect(second?.attempt).toMatchObject({ at: "done", how: "redirected" })
    await kept.spool.record(id, [{ recipient: "dora@dave.example", attempt: delivered }])
    expect(await kept.spool.find(id)).toBeUndefined()
  })

  test("who names no message changes nothing", async () => {
    await using kept = await temporarySpool()
    const nobody = "nobody" as MessageId
    const { spool } = kept
    expect(await Promise.all([spool.hold(nobody, "x"), spool.release(nobody, 1), spool.hurry(nobody, 1)])).toEqual([
      0, 0, 0,
    ])
  })
})
