/** What a friend asked for, held against what the policy found. */
import { routeName, type Friend, type FriendName } from "../route/route.ts"
import type { Finding, Verdict } from "./verdict.ts"

export type BrokenPromise = {
  readonly friend: FriendName
  /** `alice/http`. */
  readonly route: string
  readonly promise: "sealed"
  readonly finding: Finding
}

/** `sealed`: no route of the friend's lets the relay read, not even in part. What takes an attack does not break it. */
export function brokenPromises(friends: readonly Friend[], verdicts: readonly Verdict[]): readonly BrokenPromise[] {
  const sealed = new Set(friends.filter((friend) => friend.promise === "sealed").map((friend) => friend.name))
  return verdicts
    .filter((verdict) => sealed.has(verdict.friend) && verdict.findings.read.level === "yes")
    .map((verdict) => ({
      friend: verdict.friend,
      route: routeName(verdict),
      promise: "sealed",
      finding: verdict.findings.read,
    }))
}
