import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { expect, test } from "@jest/globals"
import { HashedRecipients } from "../../../src/route/hashed-recipients.ts"
import { scratchFolder } from "../../support/program.ts"
import { waypost } from "../../support/waypost.ts"

test("addresses in a file become a list, comments and empty lines left out", async () => {
  await using folder = await scratchFolder()
  const file = join(folder.path, "addresses.txt")
  await writeFile(file, "# people\ndave@dave.example\n\nJosé@Jõgeva.example # abroad\r\n")
  const { code, out } = await waypost("recipients", "hash", file)
  expect(code).toBe(0)
  const list = HashedRecipients.read(out)
  expect(list?.has("dave@dave.example")).toBe(true)
  expect(list?.has("josé@xn--jgeva-dua.example")).toBe(true)
  expect(out).not.toContain("dave")
})

test.each([
  ["dave\n", 'line 1: "dave" is not an address'],
  ["# nobody\n", "there is no address in it"],
])("%j is a mistake, told with its line", async (text, complaint) => {
  await using folder = await scratchFolder()
  const file = join(folder.path, "addresses.txt")
  await writeFile(file, text)
  const { code, err } = await waypost("recipients", "hash", file)
  expect(code).toBe(2)
  expect(err).toContain(complaint)
})
