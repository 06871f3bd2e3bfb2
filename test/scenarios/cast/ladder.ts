/** Draws who said what to whom as a text ladder: a line for each person, double arrows for what is sealed on its way. */

export type Person = "Carol" | "Stranger" | "Eve" | "Bob" | "Erin" | "Alice" | "Dave"

export type Step =
  | {
      readonly kind: "says"
      readonly from: Person
      readonly to: Person
      readonly what: string
      /** Whose TLS key seals it all the way from one to the other; `undefined`: in the clear. */
      readonly sealedFor: Person | undefined
    }
  /** Something that is found out about one of them. */
  | { readonly kind: "found"; readonly about: Person; readonly what: string }
  /** Something that happens to the whole world. */
  | { readonly kind: "happens"; readonly what: string }

/** From left to right: whoever is outside, whoever listens on the way, the relays, the homes. */
const ORDER: readonly Person[] = ["Carol", "Stranger", "Eve", "Bob", "Erin", "Alice", "Dave"]
const LANE_CHARS = 26
const FIRST_LANE_CHARS = 5

/** Without line end behind the last line. Only people who take part get a line. */
export function drawLadder(steps: readonly Step[]): string {
  const lanes = ORDER.filter((person) => steps.some((step) => takesPart(step, person)))
  const drawn = steps.flatMap((step) => [bars(lanes), ...drawStep(step, lanes)])
  return [heads(lanes), ...drawn, bars(lanes)].map((line) => line.trimEnd()).join("\n")
}

function takesPart(step: Step, person: Person): boolean {
  if (step.kind === "says") return step.from === person || step.to === person
  return step.kind === "found" && step.about === person
}

type Lanes = readonly Person[]

function drawStep(step: Step, lanes: Lanes): string[] {
  switch (step.kind) {
    case "says":
      return [label(step, lanes), arrow(step, lanes)]
    case "found":
      return [found(step, lanes)]
    case "happens":
      return [`${" ".repeat(FIRST_LANE_CHARS - 2)}~~ ${step.what} ~~`]
  }
}

function label({ from, to, what, sealedFor }: Step & { kind: "says" }, lanes: Lanes): string {
  const at = Math.min(column(from, lanes), column(to, lanes)) + 2
  const how = sealedFor ? ` (TLS, ${sealedFor}'s key)` : ""
  return over(bars(lanes), at, `${what}${how}`)
}

function arrow({ from, to, sealedFor }: Step & { kind: "says" }, lanes: Lanes): string {
  const [start, end] = [column(from, lanes), column(to, lanes)]
  const [left, right] = [Math.min(start, end), Math.max(start, end)]
  const stroke = sealedFor ? STROKES.sealed : STROKES.clear
  const line = stroke.line.repeat(right - left - 1)
  const ends = start < end ? `${stroke.away}${line}>` : `<${line}${stroke.home}`
  return lanes
    .map((person) => column(person, lanes))
    .filter((at) => at > left && at < right)
    .reduce((drawn, at) => over(drawn, at, stroke.crossing), over(bars(lanes), left, ends))
}

const STROKES = {
  sealed: { line: "═", away: "╞", home: "╡", crossing: "╪" },
  clear: { line: "─", away: "├", home: "┤", crossing: "┼" },
} as const

function found({ about, what }: Step & { kind: "found" }, lanes: Lanes): string {
  return over(bars(lanes), column(about, lanes), `* ${what}`)
}

function heads(lanes: Lanes): string {
  return lanes.reduce((line, person) => over(line, column(person, lanes) - Math.floor(person.length / 2), person), "")
}

function bars(lanes: Lanes): string {
  return lanes.reduce((line, person) => over(line, column(person, lanes), "│"), "")
}

function column(person: Person, lanes: Lanes): number {
  return FIRST_LANE_CHARS + lanes.indexOf(person) * LANE_CHARS
}

/** Writes `text` over `line`, from column `at` on. */
function over(line: string, at: number, text: string): string {
  return line.padEnd(at).slice(0, at) + text + line.slice(at + text.length)
}
