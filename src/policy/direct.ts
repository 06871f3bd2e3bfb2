/** No relay on the way: what remains is what the operator can do through the friend's name. */
import { holdsTheName, type Facts } from "./facts.ts"
import { findings, ground } from "./findings.ts"
import { HOLDS_THE_NAME, throughTheName } from "./dedicated.ts"
import type { Findings } from "./verdict.ts"

export function direct(facts: Facts): Findings {
  const nothing = ground("no", "no-relay-on-the-way", [])
  const named = holdsTheName(facts)
  const reached = named ? throughTheName() : nothing
  return findings({
    read: reached,
    change: reached,
    impersonate: named ? HOLDS_THE_NAME : nothing,
    keep: reached,
    metadata: reached,
    "cut-off": named ? HOLDS_THE_NAME : nothing,
  })
}
