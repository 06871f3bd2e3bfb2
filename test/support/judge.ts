/**
 * The programs that judge us: real servers and clients from Debian's packages. A test that needs one which is not
 * installed is skipped, and says so; where JUDGES_REQUIRED is set (as in .ci/run) it fails instead.
 */
import { describe, test } from "@jest/globals"
import { judge, PACKAGES, type Judge } from "./installed.ts"

export { judgePath, type Judge } from "./installed.ts"

/** Registers `tests` if every named program is here; otherwise one skipped test that names what is missing. */
export function withJudges(names: readonly Judge[], tests: () => void): void {
  const missing = names.filter((name) => judge(name) === undefined)
  if (missing.length === 0) return tests()
  const packages = [...new Set(missing.map((name) => PACKAGES[name]))].join(" ")
  const reason = `${missing.join(", ")} not installed (apt-get install ${packages})`
  if (process.env["JUDGES_REQUIRED"]) {
    test(`needs ${reason}`, () => {
      throw new Error(`JUDGES_REQUIRED is set, but: ${reason}`)
    })
    return
  }
  process.stderr.write(`SKIPPED: ${reason}\n`)
  describe.skip(`SKIPPED: ${reason}`, tests)
}
