/** How long to wait before the next try. Pure: chance is handed in. */

/** A number from 0 up to, but not including, 1. */
export type Dice = () => number

/** Ours, as Postfix: a host that restarts is back in minutes (RFC 5321 §4.5.4.1 speaks of 30 minutes and allows less). */
export const RETRY_FIRST_MS = 5 * 60_000
/** Ours: a friend who comes back unannounced waits no longer than this. */
export const RETRY_LONGEST_MS = 60 * 60_000
/** Ours: the share of a delay that chance decides, so that what failed together does not come back together. */
const JITTER_SHARE = 0.25

/** Doubles with each try and wavers by chance; `tries` counts those already made, 1 after the first failure. */
export function retryDelayMs(tries: number, dice: Dice): number {
  const doubled = RETRY_FIRST_MS * 2 ** Math.min(tries - 1, 16)
  return Math.round(Math.min(doubled, RETRY_LONGEST_MS) * (1 - JITTER_SHARE * dice()))
}
