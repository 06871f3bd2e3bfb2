import { readdir, readFile, stat, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { describe, expect, test } from "@jest/globals"
import { hostPattern } from "../../../src/names/hostname.ts"
import { carriedNamesIn, QUARANTINE_MS } from "../../../src/store/carried-names.ts"
import { scratchFolder } from "../../support/program.ts"

const friend = (name: string, ...domains: readonly string[]) => ({
  name,
  domains: domains.flatMap((domain) => hostPattern(domain) ?? []),
})

describe("names that are carried", () => {
  test("are nobody's where nothing is remembered", async () => {
    await using folder = await scratchFolder()
    expect(await carriedNamesIn(folder.path).last(1_000)).toEqual([])
  })

  test("are known with all who have them, by whoever opens the folder next", async () => {
    await using folder = await scratchFolder()
    const friends = [friend("alice", "alice.example", "*.alice.example"), friend("dave", "alice.example")]
    await carriedNamesIn(folder.path).remember(friends, 1_000)
    expect(await carriedNamesIn(folder.path).last(QUARANTINE_MS * 10)).toEqual([
      { name: "alice.example", friends: ["alice", "dave"] },
      { name: "*.alice.example", friends: ["alice"] },
    ])
  })

  test("are remembered when they are not carried any more, for as long as the quarantine", async () => {
    await using folder = await scratchFolder()
    const names = carriedNamesIn(folder.path)
    await names.remember([friend("alice", "alice.example")], 1_000)
    await names.remember([], 2_000)
    await names.remember([], 3_000)
    const left = [{ name: "alice.example", friends: ["alice"], until: 2_000 }]
    expect(await names.last(2_000 + QUARANTINE_MS - 1)).toEqual(left)
    expect(await names.last(2_000 + QUARANTINE_MS)).toEqual([])
  })

  test("are the new friend's alone once he has them", async () => {
    await using folder = await scratchFolder()
    const names = carriedNamesIn(folder.path)
    await names.remember([friend("alice", "alice.example")], 1_000)
    await names.remember([friend("bob", "alice.example")], 2_000)
    expect(await names.last(3_000)).toEqual([{ name: "alice.example", friends: ["bob"] }])
  })

  test("are in one file, which is not for others to read", async () => {
    await using folder = await scratchFolder()
    await carriedNamesIn(folder.path).remember([friend("alice", "alice.example")], 1_000)
    expect(await readdir(folder.path)).toEqual(["names.json"])
    expect((await stat(join(folder.path, "names.json"))).mode & 0o777).toBe(0o600)
  })

  test.each(["", "[{", "{}", '[{ "name": "alice.example" }]', '[{ "name": 1, "friends": [] }]'])(
    "are not guessed where the file is damaged: %j stays as it is",
    async (text) => {
      await using folder = await scratchFolder()
      await writeFile(join(folder.path, "names.json"), text)
      const names = carriedNamesIn(folder.path)
      const damaged = { fault: { code: "STATE_DAMAGED" } }
      await expect(names.last(1_000)).rejects.toMatchObject(damaged)
      await expect(names.remember([], 1_000)).rejects.toMatchObject(damaged)
      expect(await readFile(join(folder.path, "names.json"), "utf8")).toBe(text)
    },
  )
})
