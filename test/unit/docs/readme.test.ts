import { describe, expect, test } from "@jest/globals"
import { readFileSync } from "node:fs"
import { codeBlocks } from "../../support/markdown.ts"
import { waypost } from "../../support/waypost.ts"

const ROOT = new URL("../../../", import.meta.url)
const { scripts } = JSON.parse(readFileSync(new URL("package.json", ROOT), "utf8")) as { scripts: object }

describe("the README", () => {
  test("calls only npm scripts that there are", () => {
    const called = [
      ...codeBlocks("README.md", "sh")
        .join("\n")
        .matchAll(/npm (?:run )?([a-z]+)/g),
    ].map(([, name = ""]) => name)
    expect(called).toEqual(expect.arrayContaining(["start", "test", "waypost"]))
    expect(called.filter((name) => !(name in scripts) && name !== "ci")).toEqual([])
  })

  test("shows a check that is fine", async () => {
    const words = commandLine("check")
    expect(await waypost(...words)).toMatchObject({ code: 0 })
  })

  test.each(["doctor", "relay"])("calls %s with options that it has", async (verb) => {
    const options = commandLine(verb).filter((word) => word.startsWith("-"))
    const { out } = await waypost(verb, "--help")
    for (const option of options) expect(out).toContain(option)
  })
})

/** The words behind `npm run waypost --`, without the comment. */
function commandLine(verb: string): readonly string[] {
  const line = codeBlocks("README.md", "sh")
    .flatMap((block) => block.split("\n"))
    .find((one) => one.startsWith(`npm run waypost -- ${verb}`))
  if (!line) throw new Error(`the README does not call ${verb}`)
  return line.replace(/#.*/, "").trim().split(/ +/).slice(4)
}
