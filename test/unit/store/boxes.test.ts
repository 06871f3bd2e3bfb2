import { afterEach, beforeEach, expect, test } from "@jest/globals"
import { mkdtemp, readdir, rm, stat } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { boxesIn, type Boxes } from "../../../src/store/boxes.ts"

const digest = "D".repeat(43)
const other = "E".repeat(43)
const day = 86_400_000
let state = ""
let boxes: Boxes

beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), "waypost-boxes-"))
  boxes = boxesIn(state)
})
afterEach(() => rm(state, { recursive: true }))

test("an invitation lets a box in once, and pins its key", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  expect(await boxes.redeem(digest, "key-1", 1)).toBe("alice")
  expect(await boxes.redeem(digest, "key-2", 2)).toBeUndefined()
  expect(await boxes.friendOf("key-1")).toBe("alice")
  expect(await boxes.friendOf("key-2")).toBeUndefined()
})

test("of many who spend one invitation at once, one gets in", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  const tries = Array.from({ length: 20 }, (_, n) => boxes.redeem(digest, `key-${n}`, 1))
  expect((await Promise.all(tries)).filter((friend) => friend === "alice")).toHaveLength(1)
})

test("an invitation that has expired opens nothing and is gone", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  expect(await boxes.redeem(digest, "key-1", day + 1)).toBeUndefined()
  expect(await readdir(join(state, "invitations"))).toEqual([])
})

test("a friend with a box is not invited again by accident", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  await boxes.redeem(digest, "key-1", 1)
  expect(await boxes.invite(other, { friend: "alice", until: day }, false)).toBe("has-a-box")
})

test("replacing a lost box revokes its key at once and for ever", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  await boxes.redeem(digest, "lost", 1)
  await boxes.invite(other, { friend: "alice", until: day }, true)
  expect(await boxes.friendOf("lost")).toBeUndefined()
  expect(await boxes.redeem(other, "lost", 2)).toBeUndefined()
})

test("the new box of a friend gets in with the new invitation", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  await boxes.redeem(digest, "lost", 1)
  await boxes.invite(other, { friend: "alice", until: day }, true)
  expect(await boxes.redeem(other, "new", 2)).toBe("alice")
  expect(await boxes.list()).toEqual([{ friend: "alice", pin: "new", since: 2, revoked: ["lost"] }])
})

test.each(["", "../boxes/alice", "D".repeat(44)])("the digest %j names no file", async (text) => {
  expect(await boxes.redeem(text, "key", 1)).toBeUndefined()
})

test("only the relay's user may read what is kept", async () => {
  await boxes.invite(digest, { friend: "alice", until: day }, false)
  expect((await stat(join(state, "invitations"))).mode & 0o777).toBe(0o700)
  expect((await stat(join(state, "invitations", `${digest}.json`))).mode & 0o777).toBe(0o600)
})
