/** Text in columns. The last column takes what is left of the line and is wrapped at spaces. */
import { stripVTControlCharacters } from "node:util"

const GAP = "  "
/** Ours: a narrower last column is put up with rather than wrapped to shreds. */
const LAST_COLUMN_CHARS_MIN = 16

export function textTable(rows: readonly (readonly string[])[], widthChars: number): string {
  const columnCount = Math.max(...rows.map((row) => row.length))
  const widths = Array.from({ length: columnCount - 1 }, (_, column) =>
    Math.max(0, ...rows.filter((row) => row.length > column + 1).map((row) => shownChars(row[column] ?? ""))),
  )
  const indent = widths.reduce((sum, width) => sum + width + GAP.length, 0)
  const lastChars = Math.max(LAST_COLUMN_CHARS_MIN, widthChars - indent)
  return rows.map((row) => line(row, widths, lastChars, indent)).join("\n")
}

function line(row: readonly string[], widths: readonly number[], lastChars: number, indent: number): string {
  const cells = row.slice(0, -1).map((cell, column) => cell + " ".repeat((widths[column] ?? 0) - shownChars(cell)))
  const last = wrapped(row.at(-1) ?? "", lastChars).join(`\n${" ".repeat(indent)}`)
  return [...cells, last].join(GAP).trimEnd()
}

/** The text in lines of at most `chars`, cut at spaces; a longer word stands alone. */
export function wrapped(text: string, chars: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(" ")) {
    const current = lines.at(-1)
    if (current !== undefined && shownChars(current) + 1 + shownChars(word) <= chars)
      lines[lines.length - 1] += ` ${word}`
    else lines.push(word)
  }
  return lines
}

function shownChars(text: string): number {
  return stripVTControlCharacters(text).length
}
