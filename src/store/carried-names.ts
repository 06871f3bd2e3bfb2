/**
 * Whose each name was last: what is known of it when the file with friends no longer says so. Names that leave that file
 * stay here while they may matter. One file, which the running relay alone writes.
 *
 *     STATE/names.json    [ { "name": "*.alice.example", "friends": ["alice"], "until": … } ]
 */
import { join } from "node:path"
import * as z from "zod"
import type { Instant } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import { readIfThere, replaceDurably } from "../files/durable-file.ts"
import { patternText, type HostPattern } from "../names/hostname.ts"

/**
 * Ours: how long a name stays its last friend's. What others have kept for it goes on leading there: an MTA-STS policy for a few weeks
 * (RFC 8461 §3.2 allows a year), mail in senders' queues for five days, bookmarks and passwords until somebody changes them.
 */
export const QUARANTINE_DAYS = 30
export const QUARANTINE_MS = QUARANTINE_DAYS * 24 * 3_600_000

const carriedNames = z.array(
  z.strictObject({
    /** A host name, or `*.` and one: as the file with friends has it. */
    name: z.string(),
    /** Several where they share it, on different listeners. */
    friends: z.array(z.string()),
    /** When it was first seen to be nobody's any more; `undefined`: it is carried. */
    until: z.number().optional(),
  }),
)

export type CarriedName = Readonly<z.output<typeof carriedNames>[number]>

type Holder = { readonly name: string; readonly domains: readonly HostPattern[] }

export type CarriedNames = {
  /** Those that are carried, or were less than `QUARANTINE_MS` before `now`. Rejects with a FaultError STATE_DAMAGED. */
  last(now: Instant): Promise<readonly CarriedName[]>
  /** From `now` on these friends' names are carried, and no others. Durable when it resolves; rejects as `last`. */
  remember(friends: readonly Holder[], now: Instant): Promise<void>
}

export function carriedNamesIn(stateFolder: string): CarriedNames {
  const file = join(stateFolder, "names.json")
  const last = async (now: Instant): Promise<readonly CarriedName[]> => {
    const text = await readIfThere(file)
    const all = text === undefined ? [] : readNames(text, file)
    return all.filter(({ until = now }) => now < until + QUARANTINE_MS)
  }
  return {
    last,
    remember: async (friends, now) => {
      const carried = namesOf(friends)
      const taken = new Set(carried.map(({ name }) => name))
      const left = (await last(now)).filter(({ name }) => !taken.has(name))
      const names = [...carried, ...left.map((one) => ({ ...one, until: one.until ?? now }))]
      await replaceDurably(file, JSON.stringify(names), 0o600)
    },
  }
}

function readNames(text: string, file: string): readonly CarriedName[] {
  try {
    return carriedNames.parse(JSON.parse(text))
  } catch {
    throw new FaultError(fault("STATE_DAMAGED", `${file} does not say whose the names were`))
  }
}

function namesOf(friends: readonly Holder[]): readonly CarriedName[] {
  const holdings = friends.flatMap(({ name, domains }) => domains.map((domain) => ({ domain, friend: name })))
  const byName = Map.groupBy(holdings, ({ domain }) => patternText(domain))
  return Array.from(byName, ([name, held]) => ({ name, friends: held.map(({ friend }) => friend) }))
}
