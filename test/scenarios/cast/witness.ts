/**
 * What a relay's operator was found to have seen, beside what the policy says of the route. It does not matter here where
 * the relay runs: on loopback as Bob's in most chapters, or in a network namespace.
 */
import { expect } from "@jest/globals"
import { readRecording } from "../../../src/lab/recorder/recording.ts"
import { sentencesFor } from "../../../src/policy/sentences.ts"
import { POWERS, type Power, type Verdict } from "../../../src/policy/verdict.ts"
import type { WarningCode } from "../../../src/policy/warnings.ts"
import type { Witness as Remembered } from "../recorder/memory.ts"
import { containsInSomeSpelling } from "../recorder/search.ts"
import type { Story } from "./story.ts"

/** Who can be asked what a relay's process held. */
export interface Witness {
  readonly operator: "Bob" | "Erin"
  readonly story: Story
  /** Throws where the relay has no such route: a scene that is written wrongly. */
  verdict(route: string): Verdict
  holds(what: string): Promise<boolean>
  remembers(what: string): Promise<Remembered>
}

/** What was seen of `what`, which passed on the route `alice/smtp`, is what the policy says: read if and only if it says `yes`. */
export async function sawWhatThePolicySays(witness: Witness, route: string, what: string): Promise<void> {
  const verdict = witness.verdict(route)
  const { level } = verdict.findings.read
  const held = await witness.holds(what)
  const memory = await witness.remembers(what)
  expect({ route, what, held }).toEqual({ route, what, held: level === "yes" })
  if (level !== "yes") expect({ route, what, memory }).not.toEqual({ route, what, memory: "has it" })
  witness.story.found(witness.operator, held ? `held "${what}" in the clear` : `never held "${what}"`)
  compare(
    witness,
    { what, route, verdict },
    { recorder: held ? "yes" : "no", memory: level === "yes" ? "not asked" : "no" },
  )
}

/**
 * Where he held `what` though the verdict is not `yes`: a sender left it in the clear, or he attacked. The policy must
 * have warned of exactly that.
 */
export async function sawWhatThePolicyWarnedOf(
  witness: Witness,
  passed: { readonly route: string; readonly what: string },
  warning: WarningCode,
): Promise<void> {
  const { route, what } = passed
  const verdict = witness.verdict(route)
  expect(verdict.findings.read.level).toBe("by-attack")
  expect(verdict.warnings).toContain(warning)
  if (!(await witness.holds(what))) throw new Error(`${witness.operator}'s process never held "${what}"`)
  witness.story.found(witness.operator, `held "${what}" in the clear, as ${warning} warns`)
  compare(witness, { what, route, verdict }, { recorder: "yes", memory: "not asked" })
}

/** Writes a row of the page's table. */
export function compare(
  { operator, story }: Pick<Witness, "operator" | "story">,
  passed: { what: string; route: string; verdict: Verdict },
  found: { recorder: string; memory: string },
  power: Power = "read",
): void {
  const { what, route, verdict } = passed
  const says = sentencesFor(verdict, operator, ownerOf(route))[POWERS.indexOf(power)] ?? ""
  story.compared.push({ what: `"${what}"`, route, says, ...found })
}

/** Whether the record has it on any network connection. A record without anything in it proves nothing, and is an error. */
export async function isRecorded(file: string, what: string): Promise<boolean> {
  if ((await recordedBytes(file)) <= what.length) throw new Error("the recorder heard nothing at all")
  return (await readRecording(file)).some(({ bytes }) => containsInSomeSpelling(bytes, what))
}

/** All that the process read or wrote on network connections. */
export async function recordedBytes(file: string): Promise<number> {
  const streams = await readRecording(file)
  return streams.filter(({ remote }) => remote !== "").reduce((sum, { bytes }) => sum + bytes.length, 0)
}

function ownerOf(route: string): string {
  const [friend = ""] = route.split("/")
  return friend.charAt(0).toUpperCase() + friend.slice(1)
}
