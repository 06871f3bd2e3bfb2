/** Tests of the native engine, where it is built (`npm run native`). */
import { describe, test } from "@jest/globals"
import { loadAddon, type Addon } from "../../src/net/native/addon.ts"

/** Registers `tests` if the engine is built; otherwise one skipped test that says why, or a failing one where JUDGES_REQUIRED is set. */
export function withNative(tests: (addon: Addon) => void): void {
  const loaded = loadAddon()
  if (loaded.kind === "loaded") return tests(loaded.addon)
  const reason = `no native engine: ${loaded.why}`
  if (process.env["JUDGES_REQUIRED"]) {
    test(reason, () => {
      throw new Error(`JUDGES_REQUIRED is set, but: ${reason}`)
    })
    return
  }
  process.stderr.write(`SKIPPED: ${reason}\n`)
  describe.skip(`SKIPPED: ${reason}`, () => test("nothing", () => {}))
}
