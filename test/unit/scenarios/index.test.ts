/** docs/scenarios/README.md lists the chapters; it is made of their pages, which the chapters themselves keep current. */
import { expect, test } from "@jest/globals"
import { readdirSync, readFileSync } from "node:fs"
import { basename } from "node:path"
import { fileURLToPath } from "node:url"
import { pagePath } from "../../scenarios/cast/chapter.ts"
import { indexMarkdown } from "../../scenarios/cast/page.ts"
import { expectGolden } from "../../support/golden.ts"

const CHAPTERS = readdirSync(fileURLToPath(new URL("../../scenarios", import.meta.url)))
  .filter((file) => file.endsWith(".test.ts"))
  .map((file) => basename(file, ".test.ts"))
  .sort()

test("the list of chapters is current", () => {
  expectGolden(pagePath("README"), indexMarkdown(CHAPTERS.map(listed)))
})

test("chapters are numbered without a gap", () => {
  expect(CHAPTERS.map((file) => Number(file.slice(0, 2)))).toEqual(CHAPTERS.map((_, index) => index + 1))
})

function listed(file: string) {
  const page = readFileSync(pagePath(file), "utf8")
  const part = (pattern: RegExp): string => pattern.exec(page)?.[1] ?? ""
  return {
    file,
    heading: part(/^# (.+)$/m),
    question: part(/^\*\*(.+)\*\*$/m),
    answer: part(/^## Answer\n\n(.+)$/m),
  }
}
