/** How TLS with each domain's hosts went on one day, summed up from outcomes. Pure. */
import type { Hostname } from "../../names/hostname.ts"
import type { AppliedPolicy } from "../trust/applied-policy.ts"
import type { TlsFailure, TlsOutcome } from "./outcome.ts"

/** One for each domain and day (UTC), as it is kept. */
export type DayTally = {
  /** As in 2026-11-29. */
  readonly day: string
  readonly domain: Hostname
  readonly policies: readonly PolicyTally[]
}

export type PolicyTally = {
  readonly policy: AppliedPolicy
  readonly successes: number
  readonly failures: readonly CountedFailure[]
}

export type CountedFailure = TlsFailure & { readonly sessions: number }

/** Ours: domains in a day; the outcomes of others are not counted. */
export const DOMAINS_PER_DAY_MAX = 2_000
/** Ours: policies of a domain that changes them, and kinds of failure of one policy; what is beyond is not told apart. */
export const KINDS_MAX = 50

export function counted(tallies: readonly DayTally[], day: string, outcome: TlsOutcome): readonly DayTally[] {
  const isSame = (one: DayTally) => one.day === day && one.domain === outcome.domain
  const known = tallies.find(isSame)
  if (!known && tallies.filter((one) => one.day === day).length >= DOMAINS_PER_DAY_MAX) return tallies
  const policies = withOutcome(known?.policies ?? [], outcome)
  return [...tallies.filter((one) => !isSame(one)), { day, domain: outcome.domain, policies }]
}

function withOutcome(policies: readonly PolicyTally[], { policy, failure }: TlsOutcome): readonly PolicyTally[] {
  const place = placeOf(policies, (one) => isEqual(one.policy, policy))
  const before = policies[place] ?? { policy, successes: 0, failures: [] }
  const next = failure
    ? { ...before, failures: withFailure(before.failures, failure) }
    : { ...before, successes: before.successes + 1 }
  return policies.toSpliced(place, 1, next)
}

function withFailure(failures: readonly CountedFailure[], failure: TlsFailure): readonly CountedFailure[] {
  const place = placeOf(failures, (one) => isEqual(one, { ...failure, sessions: one.sessions }))
  const before = failures[place]
  return failures.toSpliced(place, 1, { ...(before ?? failure), sessions: (before?.sessions ?? 0) + 1 })
}

/** Where it is, or the end; the last place where there is no room for one more. */
function placeOf<Value>(all: readonly Value[], isIt: (one: Value) => boolean): number {
  const place = all.findIndex(isIt)
  return place >= 0 ? place : Math.min(all.length, KINDS_MAX - 1)
}

function isEqual(one: object, other: object): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}
