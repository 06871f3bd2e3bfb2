/** What the policy says about a whole configuration, before any of it runs. */
import { routesOf, type Config } from "../config/config.ts"
import { fault, FaultError } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import { NOTHING_CHECKED } from "../policy/facts.ts"
import { judge, judgeOutgoing } from "../policy/judge.ts"
import { brokenPromises, type BrokenPromise } from "../policy/promises.ts"
import type { Verdict } from "../policy/verdict.ts"
import { warningText } from "../policy/warnings.ts"
import { routeName } from "../route/route.ts"

export type Assessment = { readonly verdicts: readonly Verdict[]; readonly broken: readonly BrokenPromise[] }

/** A relay that has only read its file knows no facts, and assumes none. */
export function assess(config: Config): Assessment {
  const sending = config.friends.filter(({ outgoingMail }) => outgoingMail !== undefined)
  const verdicts = [
    ...routesOf(config).map((route) => judge(route, NOTHING_CHECKED)),
    ...sending.map(({ name }) => judgeOutgoing(name, NOTHING_CHECKED)),
  ]
  return { verdicts, broken: brokenPromises(config.friends, verdicts) }
}

/** Throws PROMISE_BROKEN, naming every route that breaks one; else the verdicts. */
export function keptPromises(config: Config): readonly Verdict[] {
  const { verdicts, broken } = assess(config)
  if (broken.length === 0) return verdicts
  const routes = broken.map(({ route, promise }) => `${route} breaks "promise: ${promise}"`).join(", ")
  throw new FaultError(fault("PROMISE_BROKEN", `${routes}; carry it in dedicated mode, or agree on another promise`))
}

/** Says every warning of every route, with its code. */
export function warn(verdicts: readonly Verdict[], log: Log): void {
  for (const verdict of verdicts) {
    for (const code of verdict.warnings) log.warn(warningText(code), { route: routeName(verdict) })
  }
}
