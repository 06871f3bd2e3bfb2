/** How findings are put together: by power, and so that what can be read can also be kept. */
import { POWERS, type Extent, type Finding, type Findings, type Level, type Power } from "./verdict.ts"

/** A finding before it is known whose power it is about. */
export type Ground = Omit<Finding, "power">

export function ground(
  level: Level,
  because: Finding["because"],
  sources: readonly string[],
  more: Partial<Ground> = {},
): Ground {
  return { level, extent: "all", because, against: [], sources, ...more }
}

export function findings(grounds: Readonly<Record<Power, Ground>>): Findings {
  return Object.fromEntries(POWERS.map((power) => [power, { power, ...grounds[power] }])) as Findings // one for each of POWERS
}

/** Whoever can read can write down, though the relay as configured does not. */
export function keptOnlyIfRead(read: Ground): Ground {
  if (read.level === "no") return ground("no", "nothing-is-stored", read.sources)
  const extent: Extent = read.extent
  return ground("by-attack", "readable-so-copyable", [], { extent, against: read.against })
}

/** RFC 6066 §3: the server name is not encrypted. Addresses and sizes never are. */
export const SEES_METADATA: Ground = ground("yes", "sees-both-addresses", ["RFC 6066 §3", "RFC 7258 §1"])

/** Nothing can make somebody carry what he will not carry; another one can carry it instead. */
export const CAN_CUT_OFF: Ground = ground("yes", "carries-every-byte", ["RFC 3552 §3.3.3"], {
  against: ["second-relay"],
})
