import { describe, expect, test } from "@jest/globals"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { faults, type FaultCode } from "../../../src/faults/faults.ts"
import { WARNINGS, warningText, type WarningCode } from "../../../src/policy/warnings.ts"
import { expectGolden } from "../../support/golden.ts"
import { answerLine } from "../../support/fault-page.ts"
import { sectionsOf } from "../../support/markdown.ts"

const FAULT_CODES = Object.keys(faults) as FaultCode[]
const WARNING_CODES = Object.keys(WARNINGS) as WarningCode[]

describe("docs/faults.md", () => {
  const sections = sectionsOf("docs/faults.md", 3)

  test("has a section for every code, and no other", () => {
    expect([...sections.keys()].toSorted()).toEqual(FAULT_CODES.toSorted())
  })

  test("ends every section with the code's own answer", () => {
    const page = readFileSync("docs/faults.md", "utf8")
    const told = FAULT_CODES.reduce((text, code) => withAnswer(text, code), page)
    expectGolden("docs/faults.md", told)
  })

  test.each(FAULT_CODES)("%s says what happened, and what to do if it is ours to do", (code) => {
    const [first = ""] = (sections.get(code) ?? "").trim().split("\n\n")
    expect(first.length).toBeGreaterThan(40)
    expect(sections.get(code)).toMatch(/\n\nWhose move: /)
    const { blame } = faults[code]
    if (blame === "operator") expect(first).toContain("**Remedy:**")
  })
})

describe("docs/warnings.md", () => {
  const sections = sectionsOf("docs/warnings.md", 2)

  test("has a section for every code under its long name, and no other", () => {
    expect([...sections.keys()]).toEqual(WARNING_CODES.map(warningText))
  })

  test.each([...sections])("%s says who is affected, what to do, and by which standard", (_, text) => {
    for (const part of ["**Who is affected:**", "**What to do:**", "**Standards:** RFC "]) expect(text).toContain(part)
  })
})

describe("every page in docs/", () => {
  const pages = readdirSync("docs").filter((name) => name.endsWith(".md"))

  test.each(pages)("%s leads to files and headings that exist", (page) => {
    for (const [, target = ""] of readFileSync(join("docs", page), "utf8").matchAll(/\]\((?!https?:)([^)\s]+)\)/g)) {
      const [path = "", anchor] = target.split("#")
      const file = path === "" ? join("docs", page) : join(dirname(join("docs", page)), path)
      expect([target, existsSync(file)]).toEqual([target, true])
      if (anchor !== undefined) expect(anchorsOf(file)).toContain(anchor)
    }
  })
})

/** The page with a section's last line as the code has it. */
function withAnswer(page: string, code: FaultCode): string {
  return page.replace(new RegExp(`(?<=^### ${code}\\n(?:(?!^#).*\\n)*?)Whose move: .*$`, "m"), () => answerLine(code))
}

function anchorsOf(file: string): readonly string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  )
}
