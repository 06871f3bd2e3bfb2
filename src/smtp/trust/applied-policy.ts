/** What a domain's owner has published that a next hop was held to, in the words of a TLS report (RFC 8460 §4.2). Pure. */
import { patternText } from "../../names/hostname.ts"
import type { Demand } from "./demand.ts"
import type { StsPolicy } from "./sts-policy.ts"

export type AppliedPolicy = {
  readonly type: "tlsa" | "sts"
  /** TLSA records, or the lines of the MTA-STS policy. */
  readonly lines: readonly string[]
  /** Hosts that an MTA-STS policy names; of DANE none. */
  readonly mx: readonly string[]
}

/** `undefined` where nothing that is published was the measure. */
export function appliedPolicy(demand: Demand): AppliedPolicy | undefined {
  if (demand.kind === "certified" && demand.by === "mta-sts") return stsPolicyApplied(demand.policy)
  if (demand.kind !== "dane") return undefined
  const lines = demand.records.map((one) => `${one.usage} ${one.selector} ${one.matching} ${one.dataHex}`)
  return { type: "tlsa", lines, mx: [] }
}

export function stsPolicyApplied({ mode, mx, maxAgeSeconds }: StsPolicy): AppliedPolicy {
  const hosts = mx.map(patternText)
  const lines = ["version: STSv1", `mode: ${mode}`, ...hosts.map((host) => `mx: ${host}`), `max_age: ${maxAgeSeconds}`]
  return { type: "sts", lines, mx: hosts }
}
