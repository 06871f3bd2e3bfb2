/** The deadlines of the native engine, which no test in real time could wait for: its own source, driven in fake time. */
import { execFileSync, spawnSync } from "node:child_process"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { withNative } from "../../../support/native-addon.ts"
import { scratchFolder } from "../../../support/program.ts"

const NATIVE = join(import.meta.dirname, "../../../../native")

/** Ours: a wheel that goes round for ever; it takes a second otherwise. */
const ENDLESS_MS = 50_000

withNative(() => {
  test("none fires early, none late, and a thread may sleep exactly until the next", async () => {
    await using folder = await scratchFolder()
    const program = join(folder.path, "wheel")
    const sources = [join(import.meta.dirname, "wheel-against-list.c"), join(NATIVE, "wheel.c")]
    execFileSync(process.env["CC"] ?? "cc", [
      "-std=gnu11",
      "-O2",
      "-Wall",
      "-Werror",
      `-I${NATIVE}`,
      ...sources,
      "-o",
      program,
    ])
    const { status, stdout } = spawnSync(program, { encoding: "utf8", timeout: ENDLESS_MS })
    expect([status, stdout]).toEqual([0, expect.stringMatching(/^fired \d+, slept \d+\n$/)])
  })
})
