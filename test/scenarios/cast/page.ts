/** A chapter as Markdown. The same run gives the same text: no ports, times or identifiers of one run are in it. */
import { drawLadder, type Step } from "./ladder.ts"

/** One claim of the policy beside what was measured. */
export type Compared = {
  /** What passed. */
  readonly what: string
  readonly route: string
  /** The policy's own words. */
  readonly says: string
  readonly recorder: string
  readonly memory: string
}

export type ScenePage = {
  readonly title: string
  /** Bob's configuration, with the ports that such services usually have. */
  readonly configuration: string | undefined
  readonly steps: readonly Step[]
  readonly compared: readonly Compared[]
}

export type ChapterPage = {
  readonly heading: string
  readonly question: string
  readonly scenes: readonly ScenePage[]
  readonly answer: string
}

export function chapterMarkdown({ heading, question, scenes, answer }: ChapterPage): string {
  return [
    GENERATED,
    `# ${heading}`,
    `**${question}**`,
    ...scenes.flatMap((scene, index) => sceneMarkdown(scene, scenes[index - 1])),
    "## Answer",
    answer,
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n")
}

const GENERATED =
  "<!-- Written by `npm run scenarios:write` from test/scenarios; a test compares it with what happens. -->"

function sceneMarkdown({ title, configuration, steps, compared }: ScenePage, before: ScenePage | undefined): string[] {
  const told =
    configuration === before?.configuration
      ? ["(The same configuration.)"]
      : ["Bob's relay is told:", fenced("yaml", configuration ?? "")]
  return [
    `## ${title}`,
    ...(configuration ? told : []),
    fenced("text", drawLadder(steps)),
    ...(compared.length > 0 ? [comparedTable(compared)] : []),
  ]
}

function comparedTable(compared: readonly Compared[]): string {
  const rows = compared.map(({ what, route, says, recorder, memory }) => [what, route, says, recorder, memory])
  const table = [
    ["passed", "on", "what the policy says of it", "the recorder found it", "in memory afterwards"],
    ["---", "---", "---", "---", "---"],
    ...rows,
  ]
  return table.map((cells) => `| ${cells.join(" | ")} |`).join("\n")
}

function fenced(language: string, text: string): string {
  return `\`\`\`${language}\n${text.trimEnd()}\n\`\`\``
}

/** The list of all chapters, for docs/scenarios/README.md. */
export function indexMarkdown(
  chapters: readonly { file: string; heading: string; question: string; answer: string }[],
): string {
  const rows = chapters.map(
    ({ file, heading, question, answer }) => `| [${heading}](${file}.md) | ${question} | ${answer} |`,
  )
  return [
    GENERATED,
    "# Scenarios",
    INTRODUCTION,
    ["| chapter | question | answer |", "| --- | --- | --- |", ...rows].join("\n"),
    "",
  ]
    .join("\n\n")
    .trimEnd()
    .concat("\n")
}

const INTRODUCTION = `Each chapter asks one question, lets a small cast act it out with real programs on loopback addresses (where routers or a
kernel take part, in network namespaces), and ends with the answer. Carol is everybody who sends mail or visits; Bob runs the relay, and
Erin a second one; Alice and Dave have boxes at home; Eve listens on
the line; the stranger tries what he should not.

Bob's relay runs in a process of its own, with a recorder loaded before it: every byte that its sockets read or wrote is
written down, decrypted where the process itself ends the TLS. After each act the record is searched for what was said, and
the result is compared with what the policy says about the route; a chapter fails if the two differ. A second witness, the
process's memory, is asked as well: what the relay could not read must not be found there either.

In the drawings a double line is sealed by TLS for the person it names, a single line can be read by everybody it crosses.`
