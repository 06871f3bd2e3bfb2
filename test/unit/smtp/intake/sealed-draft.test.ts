import { randomBytes } from "node:crypto"
import { readdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { fault, FaultError } from "../../../../src/faults/faults.ts"
import { newIdentity, recipientOf, unsealed } from "../../../../src/seal/seal.ts"
import { SealedDraft } from "../../../../src/smtp/intake/sealed-draft.ts"
import type { Draft } from "../../../../src/store/spool.ts"
import { contentOf, envelope, temporarySpool } from "../../../support/spool.ts"

const KEY = await newIdentity()
const TO = await recipientOf(KEY)

async function onDisk(folder: string, what: string): Promise<boolean> {
  const files = await Promise.all((await readdir(folder)).map((name) => readFile(join(folder, name))))
  return files.some((content) => content.includes(what))
}

async function opened(sealed: Buffer): Promise<string> {
  const pieces: Uint8Array[] = []
  const content = (async function* () {
    yield sealed
  })()
  for await (const piece of unsealed(content, [KEY], () => {})) pieces.push(piece)
  return Buffer.concat(pieces).toString("latin1")
}

test.each([
  ["a small mail", 1_000],
  ["one that does not fit into memory", 300_000],
])("%s is nowhere on the disk but sealed, and opens to what came", async (_, bytes) => {
  await using kept = await temporarySpool()
  const plain = `Subject: noon\r\n\r\n${randomBytes(bytes / 2).toString("hex")}\r\n`
  const draft = new SealedDraft(kept.spool.draft(), TO)
  for (let at = 0; at < plain.length; at += 10_000) {
    const piece = Buffer.from(plain.slice(at, at + 10_000))
    await draft.write(piece)
    piece.fill("\n") // its memory is somebody else's from here on
  }
  expect(await onDisk(kept.folder, "Subject: noon")).toBe(false)
  await draft.commit(envelope())
  const message = await kept.spool.find(draft.id)
  expect(message?.sealed).toBe(true)
  expect(message?.sizeBytes).toBeGreaterThan(plain.length)
  expect(await onDisk(kept.folder, "Subject: noon")).toBe(false)
  expect(await onDisk(kept.folder, "age-encryption.org/v1")).toBe(true)
  expect(await opened(await contentOf(kept.spool, draft.id))).toBe(plain)
})

test.each([100, 300_000])("of a mail of %i bytes that passed through, nothing stays", async (bytes) => {
  await using kept = await temporarySpool()
  const draft = new SealedDraft(kept.spool.draft(), TO)
  await draft.write(Buffer.alloc(bytes, "Meet me at noon"))
  await draft.discard()
  await draft.discard()
  expect(await kept.spool.list()).toEqual([])
  expect(await onDisk(kept.folder, "Meet me")).toBe(false)
})

test("a spool that is full says so, and what came is forgotten", async () => {
  const full = new FaultError(fault("SPOOL_FULL", "no room"))
  let discarded = false
  const inner: Draft = {
    id: "abcdefghijklmnop" as Draft["id"],
    write: () => Promise.reject(full),
    commit: () => Promise.resolve(),
    content: async function* () {},
    discard: async () => void (discarded = true),
  }
  const draft = new SealedDraft(inner, TO)
  const writing = async () => {
    for (let piece = 0; piece < 10; piece++) await draft.write(Buffer.alloc(50_000))
    await draft.commit(envelope())
  }
  await expect(writing()).rejects.toBe(full)
  await draft.discard()
  expect(discarded).toBe(true)
})
