/** Verdicts as a table of short words for a terminal: one row for each route, one column for each power. Claims in sentences are not made here. */
import { routeName } from "../route/route.ts"
import { POWERS, type Finding, type Power, type Verdict } from "./verdict.ts"

/** Lines without colour, none wider than `widthColumns` unless one word is. Too narrow for a table: one block for each route. */
export function verdictTable(verdicts: readonly Verdict[], widthColumns: number): readonly string[] {
  const rows = [HEADINGS, ...verdicts.map(cells)]
  const widths = HEADINGS.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)))
  const lines = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  )
  return lines.every((line) => line.length <= widthColumns)
    ? lines
    : verdicts.flatMap((verdict) => block(verdict, widthColumns))
}

const POWER_HEADINGS: Readonly<Record<Power, string>> = {
  read: "read",
  change: "change",
  impersonate: "pose",
  keep: "keep",
  metadata: "see",
  "cut-off": "cut",
}

const HEADINGS: readonly string[] = ["route", "mode", ...POWERS.map((power) => POWER_HEADINGS[power]), "warnings"]

function cells(verdict: Verdict): readonly string[] {
  const levels = POWERS.map((power) => levelWord(verdict.findings[power]))
  return [routeName(verdict), verdict.mode, ...levels, verdict.warnings.join(" ") || "-"]
}

/** `no`, `attack` or `YES`; with a tilde where it is only some of what passes. */
export function levelWord({ level, extent }: Finding): string {
  const word = { no: "no", "by-attack": "attack", yes: "YES" }[level]
  return extent === "some" ? `~${word}` : word
}

function block(verdict: Verdict, widthColumns: number): readonly string[] {
  const [route = "", mode = "", ...levels] = cells(verdict)
  const words = levels.map((level, column) => `${HEADINGS[column + 2] ?? ""}: ${level}`)
  return [`${route} (${mode})`, ...filled(words, widthColumns - 2).map((line) => `  ${line}`)]
}

/** Words side by side, as many in a line as fit. */
function filled(words: readonly string[], widthColumns: number): readonly string[] {
  const lines: string[] = []
  for (const word of words) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 2 + word.length <= widthColumns)
      lines[lines.length - 1] = `${last}, ${word}`
    else lines.push(word)
  }
  return lines
}
