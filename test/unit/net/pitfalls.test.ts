/** Every pitfall in README.md has the test that it names. */
import { readFileSync } from "node:fs"
import { join } from "node:path"
import { expect, test } from "@jest/globals"

const table = readFileSync(join(import.meta.dirname, "README.md"), "utf8")
const rows = [...table.matchAll(/^\|[^|]*\| ([a-z/-]+): (.+) \|$/gm)].map(([, file = "", name = ""]) => ({
  file,
  name,
}))

test.each(rows)("$file: $name", ({ file, name }) => {
  const source = readFileSync(join(import.meta.dirname, `${file}.test.ts`), "utf8")
  expect(source).toContain(`("${name}"`)
})

test("every row names a test", () => {
  const shown = table.split("\n").filter((line) => line.startsWith("|")).length - 2 // without its head
  expect(rows).toHaveLength(shown)
})
