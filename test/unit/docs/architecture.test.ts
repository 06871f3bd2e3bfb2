import { expect, test } from "@jest/globals"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { MAY_IMPORT } from "../../../tools/check-structure.ts"

const ROOT = new URL("../../../", import.meta.url)
const text = readFileSync(new URL("ARCHITECTURE.md", ROOT), "utf8")
/** | `folder` | what | imports | */
const codeMap = [...text.matchAll(/^\| `(\w+)` \| (.+) \| (.+) \|$/gm)].map(([, folder = "", what, imports = ""]) => ({
  folder,
  what,
  imports: [...imports.matchAll(/`(\w+)`/g)].map(([, name]) => name),
}))

test("the code map has every folder of src", () => {
  const folders = readdirSync(new URL("src/", ROOT), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name)
  expect(codeMap.map(({ folder }) => folder)).toEqual(expect.arrayContaining(folders))
})

test("the code map's imports are the ones that are enforced", () => {
  expect(Object.fromEntries(codeMap.map(({ folder, imports }) => [folder, imports]))).toEqual(MAY_IMPORT)
})

test.each(["README.md", "ARCHITECTURE.md", "SECURITY.md", "CONTRIBUTING.md", "CHANGELOG.md"])(
  "every link in %s leads to a file",
  (file) => {
    const links = [...readFileSync(new URL(file, ROOT), "utf8").matchAll(/\]\((?!https?:)([^)#]+)/g)]
    expect(links.map(([, path = ""]) => path).filter((path) => !existsSync(new URL(path, ROOT)))).toEqual([])
  },
)
