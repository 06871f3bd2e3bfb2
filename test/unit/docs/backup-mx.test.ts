import { expect, test } from "@jest/globals"
import { readFileSync } from "node:fs"

const PAGE = readFileSync("docs/backup-mx.md", "utf8")
const ROWS = PAGE.split("\n").filter((line) => /^\| \d+ \|/.test(line))
/** `path` “words of a title” */
const SHOWN = /`(test\/[^`]+\.test\.ts)` “([^”]+)”/g

test("docs/backup-mx.md has every row of the list once, in order", () => {
  expect(ROWS.map((row) => Number(row.split("|")[1]))).toEqual(Array.from({ length: 47 }, (_, index) => index + 1))
})

test.each(ROWS)("shown by a test that exists, or put off with a date: %s", (row) => {
  const shown = [...row.matchAll(SHOWN)]
  for (const [, file = "", title = ""] of shown) expect(readFileSync(file, "utf8")).toContain(title)
  expect(shown.length > 0 || row.includes("](out-of-scope.md)")).toBe(true)
})
