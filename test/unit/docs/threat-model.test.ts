import { expect, test } from "@jest/globals"
import { existsSync, readFileSync } from "node:fs"
import { expectGolden } from "../../support/golden.ts"
import { NOT_YET, TRUTH_ROWS, truthTableMarkdown } from "../../support/truth-table.ts"

const PAGE = readFileSync("docs/threat-model.md", "utf8")

test("the truth table of docs/threat-model.md is what the policy judges", () => {
  expectGolden(
    "docs/threat-model.md",
    PAGE.replace(/^\| mode [\s\S]*?(?=\n\n)/m, () => truthTableMarkdown()),
  )
  expect(PAGE).toContain(truthTableMarkdown())
})

const CHAPTERS = [...new Set(TRUTH_ROWS.map(({ chapter }) => chapter).filter((chapter) => chapter !== NOT_YET))]
const CITED = [...new Set([...CHAPTERS, ...[...PAGE.matchAll(/`(\d\d-[a-z-]+)`/g)].map(([, name = ""]) => name)])]

test("every chapter that proves a row exists", () => {
  const missing = CITED.filter((chapter) => !existsSync(`test/scenarios/${chapter}.test.ts`))
  expect(existsSync("test/scenarios") ? missing : []).toEqual([])
})
