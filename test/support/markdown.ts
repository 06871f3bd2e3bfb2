/** Just enough Markdown to hold a page against the code. */
import { readFileSync } from "node:fs"

/** The sections of one rank: heading → text up to the next heading of this rank or a higher one. */
export function sectionsOf(file: string, rank: number): ReadonlyMap<string, string> {
  const marks = "#".repeat(rank)
  const parts = readFileSync(file, "utf8").split(new RegExp(`^(?=#{1,${rank}} )`, "m"))
  return new Map(
    parts
      .filter((part) => part.startsWith(`${marks} `))
      .map((part) => {
        const [heading = "", ...lines] = part.split("\n")
        return [heading.slice(marks.length + 1), lines.join("\n")]
      }),
  )
}

/** The first cells of a section's table rows, without the heading row, and what stands in backquotes there. */
export function tableKeys(text: string): readonly string[] {
  return [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, key = ""]) => key)
}

/** What stands between ```language and ```. */
export function codeBlocks(file: string, language: string): readonly string[] {
  const text = readFileSync(file, "utf8")
  return [...text.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, "gm"))].map(([, block = ""]) => block)
}
