/** A configuration's assessment for people: the table, the warnings it calls for, and promises that are broken. */
import { routesOf, type Config } from "../config/config.ts"
import {
  brokenPromiseSentence,
  personName,
  sentencesFor,
  TABLE_LEGEND,
  warningSentence,
  wayHomeSentence,
  type People,
} from "../policy/sentences.ts"
import { verdictTable } from "../policy/verdict-table.ts"
import { wayHome } from "../policy/way-home.ts"
import { warningText, type WarningCode } from "../policy/warnings.ts"
import type { Verdict } from "../policy/verdict.ts"
import type { Assessment } from "../relay/assessment.ts"
import { describeOutgoing, describeRoute } from "../route/describe.ts"
import { OUTGOING_MAIL, routeName, type FriendName } from "../route/route.ts"
import { coloured, type Mood } from "./terminal.ts"
import { wrapped } from "./text-table.ts"

/** Whoever runs the relay is spoken of, not to: the text is also shown to friends. */
const OPERATOR = "the operator"

export function assessmentText({ verdicts, broken }: Assessment, widthChars: number): string {
  if (verdicts.length === 0) return "No friend has a route yet: nothing is carried."
  const sentences = broken.map((one) => brokenPromiseSentence(one, peopleOf(one)))
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

/** Each warning once, with the routes it is about and what it says of the first of them. */
function warningsText(verdicts: readonly Verdict[], widthChars: number): string {
  const codes = [...new Set(verdicts.flatMap(({ warnings }) => warnings))].toSorted()
  if (codes.length === 0) return ""
  const parts = codes.map((code) => warningPart(code, verdicts, widthChars))
  return `${parts.join("\n\n")}\n\n"waypost explain ${codes[0]}" says what helps; "waypost check --why" says everything.`
}

function warningPart(code: WarningCode, verdicts: readonly Verdict[], widthChars: number): string {
  const warned = verdicts.filter(({ warnings }) => warnings.includes(code))
  const heading = `${coloured("careful", warningText(code))} at ${warned.map(routeName).join(", ")}`
  const said = warned.slice(0, 1).map((verdict) => warningSentence(code, verdict, peopleOf(verdict)))
  return [heading, ...said.map((sentence) => indented(sentence, widthChars))].join("\n")
}

/** Every power at every route, in sentences. */
export function verdictsText(config: Config, verdicts: readonly Verdict[], widthChars: number): string {
  const routes = routesOf(config).map((route) => ({ ...route, title: describeRoute(route), way: wayHome(route) }))
  const outgoing = config.friends.flatMap((friend) => {
    const { name, outgoingMail } = friend
    if (!outgoingMail) return []
    const title = describeOutgoing(friend, outgoingMail)
    return [{ friend: name, listener: OUTGOING_MAIL, title, way: "inside-the-tunnel" as const }]
  })
  return [...routes, ...outgoing]
    .map((carried) => {
      const verdict = verdicts.find((one) => routeName(one) === routeName(carried))
      const people = peopleOf(carried)
      const powers = verdict ? sentencesFor(verdict, people.operator, people.owner) : []
      const said = [...powers, wayHomeSentence(carried.way, people)]
      return [coloured("title", carried.title), ...said.map((line) => indented(line, widthChars))].join("\n")
    })
    .join("\n\n")
}

function peopleOf({ friend }: { readonly friend: FriendName }): People {
  return { operator: OPERATOR, owner: personName(friend) }
}

const INDENT = "  "

function indented(text: string, widthChars: number): string {
  return wrapped(text, widthChars - INDENT.length)
    .map((line) => INDENT + line)
    .join("\n")
}
