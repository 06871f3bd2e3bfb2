import { createHash } from "node:crypto"
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { ageRecipient, type AgeRecipient } from "../../../src/names/age-recipient.ts"
import { sealIdentity } from "../../../src/seal/identity.ts"
import { newIdentity, recipientOf, sealer, unsealed } from "../../../src/seal/seal.ts"

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "waypost-seal-"))
})
afterEach(() => rm(folder, { recursive: true }))

async function sealed(to: AgeRecipient, ...pieces: readonly Uint8Array[]): Promise<Buffer> {
  const out: Uint8Array[] = []
  const sealing = await sealer(to, async (piece) => void out.push(piece))
  for (const piece of pieces) await sealing.write(piece)
  await sealing.end()
  return Buffer.concat(out)
}

async function* inPieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes)
}

async function opened(bytes: Buffer, keys: readonly string[], pieceBytes = 1_000): Promise<Buffer> {
  const read: Uint8Array[] = []
  for await (const piece of unsealed(inPieces(bytes, pieceBytes), keys, () => {})) read.push(piece)
  return Buffer.concat(read)
}

test.each([0, 1, 65_535, 65_536, 65_537, 200_000])("%i bytes come back as they were", async (length) => {
  const key = await newIdentity()
  const plain = Buffer.alloc(length, "Meet me at noon. ")
  const half = Math.floor(length / 2)
  const shut = await sealed(await recipientOf(key), plain.subarray(0, half), plain.subarray(half))
  expect(shut.includes("Meet me")).toBe(false)
  expect((await opened(shut, [key])).equals(plain)).toBe(true)
})

test("what was sealed to an older key of the box still opens, and what was sealed to another does not", async () => {
  const [old, key, another] = [await newIdentity(), await newIdentity(), await newIdentity()]
  const shut = await sealed(await recipientOf(old), Buffer.from("noon"))
  expect((await opened(shut, [old, key], 1)).toString()).toBe("noon")
  await expect(opened(shut, [another])).rejects.toThrow()
})

test.each([
  ["cut off", (shut: Buffer) => shut.subarray(0, -1)],
  ["cut off between two chunks", (shut: Buffer) => shut.subarray(0, shut.length - 16 - (100_000 - 65_536))],
  ["changed", (shut: Buffer) => Buffer.concat([shut.subarray(0, -1), Buffer.from([0x42])])],
  ["no sealed mail at all", () => Buffer.from("Subject: noon\r\n\r\n")],
])("what is %s is never taken for whole", async (_, change) => {
  const key = await newIdentity()
  const shut = await sealed(await recipientOf(key), Buffer.alloc(100_000, "x"))
  let broken = false
  const read = async () => {
    for await (const piece of unsealed(inPieces(change(shut), 4_096), [key], () => (broken = true))) void piece
  }
  await expect(read()).rejects.toThrow()
  expect(broken).toBe(true)
})

test("a disk that takes nothing more ends the sealing with its own reason", async () => {
  const sealing = await sealer(await recipientOf(await newIdentity()), () => Promise.reject(new Error("no room")))
  const writing = async () => {
    for (let piece = 0; piece < 10; piece++) await sealing.write(Buffer.alloc(65_536))
    await sealing.end()
  }
  await expect(writing()).rejects.toThrow("no room")
})

test("200 MB are sealed with less than 60 MB more than 50 MB took", async () => {
  const recipient = await recipientOf(await newIdentity())
  await sealMuch(recipient, 50e6) // what the process takes for good when it first seals
  const before = process.memoryUsage().rss
  let most = 0
  await sealMuch(recipient, 200e6, () => (most = Math.max(most, process.memoryUsage().rss - before)))
  expect(most).toBeLessThan(60e6)
})

async function sealMuch(to: AgeRecipient, bytes: number, meanwhile = (): void => {}): Promise<void> {
  const digest = createHash("sha256")
  const sealing = await sealer(to, async (piece) => void digest.update(piece))
  const piece = Buffer.alloc(65_536, "x")
  for (let sent = 0; sent < bytes; sent += piece.length) {
    await sealing.write(piece)
    meanwhile()
  }
  await sealing.end()
}

test("a box makes its key once, for its owner alone, and says whom mail is sealed to", async () => {
  const made = await sealIdentity(folder)
  expect(await sealIdentity(folder)).toEqual(made)
  expect(ageRecipient(made.recipient)).toBe(made.recipient)
  expect((await stat(join(folder, "seal.age"))).mode & 0o777).toBe(0o600)
  expect(await readFile(join(folder, "seal.age"), "utf8")).toMatch(/^AGE-SECRET-KEY-1[A-Z0-9]{58}\n$/)
})

test("a new key goes below the old one; a file that holds none is told without a word of it", async () => {
  const [old, next] = [await newIdentity(), await newIdentity()]
  await writeFile(join(folder, "seal.age"), `# of 2025\n${old}\n\n${next}\n`)
  const read = await sealIdentity(folder)
  const recipients = [await recipientOf(old), await recipientOf(next)]
  expect(read).toEqual({ keys: [old, next], recipient: recipients[1], recipients })
  await writeFile(join(folder, "seal.age"), "AGE-SECRET-KEY-1NOT\n")
  await expect(sealIdentity(folder)).rejects.toMatchObject({
    fault: { code: "STATE_DAMAGED", detail: expect.not.stringContaining("NOT") },
  })
})

test.each([
  "",
  "age1",
  "AGE-SECRET-KEY-1QQ",
  `age1${"q".repeat(58)}`,
  "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8q",
])("%j is no recipient", (text) => {
  expect(ageRecipient(text)).toBeUndefined()
})
