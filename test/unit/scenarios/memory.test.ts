import { expect, test } from "@jest/globals"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { memoryHas } from "../../scenarios/recorder/memory.ts"

/** The halves meet only in the child's memory, so that the test's own words are not what is found. */
const HOLDS = `
  const secret = Buffer.from(["Meet me ", "at noon"].join("") + " and bring the map")
  setInterval(() => secret, 1000)
  console.log("ready")`

test("what a process has in its memory is found there, and nothing else", async () => {
  const child = spawn(process.execPath, ["-e", HOLDS], { env: { ...process.env, NODE_OPTIONS: "" } })
  await once(child.stdout, "data")
  const pid = child.pid ?? 0
  const found = await memoryHas(pid, "Meet me at noon and bring the map")
  const other = await memoryHas(pid, "Nobody has ever said this before, least of all here")
  child.kill("SIGKILL")
  await once(child, "exit")
  const canLook = process.platform === "linux" && found !== "cannot look"
  expect([found, other]).toEqual(canLook ? ["has it", "has it not"] : ["cannot look", "cannot look"])
})

test("a process that is not there cannot be asked", async () => {
  expect(await memoryHas(2 ** 22 + 1, "anything")).toBe("cannot look")
})
