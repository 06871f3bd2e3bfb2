/** A configuration's assessment for people: the table, the warnings it calls for, and promises that are broken. */
import { brokenPromiseSentence, personName, TABLE_LEGEND } from "../policy/sentences.ts"
import { verdictTable } from "../policy/verdict-table.ts"
import { warningText, type WarningCode } from "../policy/warnings.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { Assessment } from "../relay/assessment.ts"
import { routeName } from "../route/route.ts"
import { coloured, type Mood } from "./terminal.ts"
import { textTable, wrapped } from "./text-table.ts"

/** Whoever runs the relay is spoken of, not to: the text is also shown to friends. */
const OPERATOR = "the relay's operator"

export function assessmentText({ verdicts, broken }: Assessment, widthChars: number): string {
  if (verdicts.length === 0) return "No friend has a route yet: nothing is carried."
  const sentences = broken.map((one) =>
    brokenPromiseSentence(one, { operator: OPERATOR, owner: personName(one.friend) }),
  )
  const parts = [
    verdictTable(verdicts, widthChars).map(colouredLevels).join("\n"),
    coloured("quiet", wrapped(TABLE_LEGEND, widthChars).join("\n")),
    warningsText(verdicts, widthChars),
    ...sentences.map((sentence) => coloured("bad", wrapped(sentence, widthChars).join("\n"))),
  ]
  return parts.filter((part) => part !== "").join("\n\n")
}

const LEVEL_MOODS: Readonly<Record<string, Mood>> = { YES: "bad", attack: "careful", no: "good" }

function colouredLevels(line: string, index: number): string {
  if (index === 0) return coloured("title", line)
  return line.replace(/(?<= )~?(YES|attack|no)\b/g, (word, level: string) =>
    coloured(LEVEL_MOODS[level] ?? "quiet", word),
  )
}

/** Each warning once, with the routes it is about. */
function warningsText(verdicts: readonly Verdict[], widthChars: number): string {
  const codes = [...new Set(verdicts.flatMap(({ warnings }) => warnings))].toSorted()
  if (codes.length === 0) return ""
  const rows = codes.map((code) => [coloured("careful", warningText(code)), routesWith(code, verdicts)])
  return `${textTable(rows, widthChars)}\n"waypost explain ${codes[0]}" says what a warning means and what helps.`
}

function routesWith(code: WarningCode, verdicts: readonly Verdict[]): string {
  return verdicts
    .filter(({ warnings }) => warnings.includes(code))
    .map(routeName)
    .join(", ")
}
