import { readFile, readdir, stat } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { queueTokensIn } from "../../../src/store/queue-tokens.ts"
import { scratchFolder } from "../../support/program.ts"

describe("a friend's token", () => {
  test("is his alone, and only its digest is kept, for the owner of the folder alone", async () => {
    await using folder = await scratchFolder()
    const tokens = queueTokensIn(folder.path)
    const secret = await tokens.make("alice", 1_000)
    expect([await tokens.isOf("alice", secret), await tokens.isOf("dave", secret)]).toEqual([true, false])
    expect(await tokens.isOf("alice", `${secret}x`)).toBe(false)
    const file = join(folder.path, "queue-tokens", "alice.json")
    expect(await readFile(file, "utf8")).not.toContain(secret)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  test("is worth nothing when there is a newer one, or when it was revoked", async () => {
    await using folder = await scratchFolder()
    const tokens = queueTokensIn(folder.path)
    const first = await tokens.make("alice", 1_000)
    const second = await tokens.make("alice", 2_000)
    expect([await tokens.isOf("alice", first), await tokens.isOf("alice", second)]).toEqual([false, true])
    expect(await tokens.list()).toEqual([{ friend: "alice", since: 2_000 }])
    expect([await tokens.revoke("alice"), await tokens.revoke("alice")]).toEqual([true, false])
    expect(await tokens.isOf("alice", second)).toBe(false)
    expect(await tokens.list()).toEqual([])
  })

  test.each(["../alice", "", "alice/../alice", "ALICE", "a".repeat(64)])("is not looked for under %j", async (name) => {
    await using folder = await scratchFolder()
    const secret = await queueTokensIn(folder.path).make("alice", 1_000)
    expect(await queueTokensIn(folder.path).isOf(name, secret)).toBe(false)
    expect(await readdir(join(folder.path, "queue-tokens"))).toEqual(["alice.json"])
  })
})
