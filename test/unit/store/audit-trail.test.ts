import { appendFile, stat, readFile, rename } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { AUDIT_SHOWN_BYTES_MAX, auditTrail, type AuditEntry } from "../../../src/store/audit-trail.ts"
import { scratchFolder } from "../../support/program.ts"

const ALL = { id: undefined, friend: undefined }

describe("the audit trail", () => {
  test("keeps lines in the order in which they were written, for its owner alone", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(folder.path)
    expect(await trail.read(ALL)).toEqual([])
    await Promise.all([trail.append([entry("a"), entry("b")]), trail.append([entry("c")]), trail.append([])])
    expect((await auditTrail(folder.path).read(ALL)).map(({ messages: [id] }) => id)).toEqual(["a", "b", "c"])
    expect((await stat(fileIn(folder.path))).mode & 0o777).toBe(0o600)
  })

  test("shows a friend's own lines, and those about one message", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(folder.path)
    await trail.append([entry("a"), { ...entry("b"), friend: "dave" }, entry("c")])
    expect(await trail.read({ ...ALL, friend: "dave" })).toMatchObject([{ messages: ["b"] }])
    expect(await trail.read({ ...ALL, id: "c" })).toMatchObject([{ messages: ["c"] }])
    expect(await trail.read({ friend: "dave", id: "c" })).toEqual([])
  })

  test("goes on behind a line that a power cut tore", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(folder.path)
    await trail.append([entry("a")])
    await appendFile(fileIn(folder.path), '{"at":"2026-')
    await trail.append([entry("b")])
    expect((await trail.read(ALL)).map(({ messages: [id] }) => id)).toEqual(["a", "b"])
  })

  test("that was moved away begins anew, and the old file stays as it was", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(folder.path)
    await trail.append([entry("a")])
    await rename(fileIn(folder.path), join(folder.path, "old.jsonl"))
    await trail.append([entry("b")])
    expect((await trail.read(ALL)).map(({ messages: [id] }) => id)).toEqual(["b"])
    expect(await readFile(join(folder.path, "old.jsonl"), "utf8")).toContain('"a"')
  })

  test("shows the end of a long one, and never half a line", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(folder.path)
    const long = Array.from({ length: 5 }, (_, at) => ({
      ...entry(`long-${at}`),
      detail: "x".repeat(AUDIT_SHOWN_BYTES_MAX / 4),
    }))
    await trail.append(long)
    await trail.append([entry("last")])
    const shown = (await trail.read(ALL)).map(({ messages: [id] }) => id)
    expect(shown).toEqual(["long-2", "long-3", "long-4", "last"])
  })

  test("that cannot be written says so, and the next one is tried again", async () => {
    await using folder = await scratchFolder()
    const trail = auditTrail(join(folder.path, "missing"))
    await expect(trail.append([entry("a")])).rejects.toMatchObject({ code: "ENOENT" })
    await expect(trail.append([entry("b")])).rejects.toMatchObject({ code: "ENOENT" })
  })
})

function entry(id: string): AuditEntry {
  return { at: "2026-11-29T12:00:00.000Z", who: "the operator", how: "hold", friend: "alice", messages: [id] }
}

function fileIn(folder: string): string {
  return join(folder, "queue-audit.jsonl")
}
