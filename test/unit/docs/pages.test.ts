import { describe, expect, test } from "@jest/globals"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { faults, type FaultCode } from "../../../src/faults/faults.ts"
import { WARNINGS, warningText, type WarningCode } from "../../../src/policy/warnings.ts"
import { answerLine } from "../../support/fault-page.ts"
import { sectionsOf } from "../../support/markdown.ts"

const FAULT_CODES = Object.keys(faults) as FaultCode[]
const WARNING_CODES = Object.keys(WARNINGS) as WarningCode[]

describe("docs/faults.md", () => {
  const sections = sectionsOf("docs/faults.md", 3)

  test("has a section for every code, and no other", () => {
    expect([...sections.keys()].toSorted()).toEqual(FAULT_CODES.toSorted())
  })

  test.each(FAULT_CODES)("%s is told with the code's own answer", (code) => {
    expect(sections.get(code)?.trimEnd().split("\n").at(-1)).toBe(answerLine(code))
  })

  test.each(FAULT_CODES)("%s says what happened, and what to do if it is ours to do", (code) => {
    const [first = ""] = (sections.get(code) ?? "").trim().split("\n\n")
    expect(first.length).toBeGreaterThan(40)
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

function anchorsOf(file: string): readonly string[] {
  return [...readFileSync(file, "utf8").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  )
}
