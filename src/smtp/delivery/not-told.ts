/**
 * Mail that failed after it was taken, and whose sender is not told: he may be forged, and a notice would then reach
 * somebody who has nothing to do with it (backscatter). It is held instead, so that the friend sees it in the queue.
 */
import type { Instant } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import type { KeptMessage, KeptRecipient, Outcome, Spool } from "../../store/spool.ts"
import type { Decision, Notice } from "./decide.ts"
import { isOwnMail } from "./target.ts"

/** What the queue says of it, before the reason. */
export const NOT_TOLD = "held, not told"
/** Ours: how long it is shown after it could last have been delivered. */
export const NOT_TOLD_SHOWN_MS = 14 * 24 * 3_600_000
/** Ours: how often what was shown for long enough is looked for. */
export const FORGET_EVERY_MS = 3_600_000

/** A failure that nobody hears of is held for the friend. A notice of our own that fails is nobody's: it is only logged. */
export function heldForFriend(message: KeptMessage, { outcome, notice }: Decision): Outcome {
  if (notice === undefined || !isFailure(notice) || isOwnMail(message.friend)) return outcome
  const { attempt } = notice.recipient
  const tries = attempt.at === "done" ? 0 : attempt.tries
  const why = outcome.attempt.at === "done" ? (outcome.attempt.lastReply ?? "") : ""
  return { recipient: outcome.recipient, attempt: { at: "held", because: `${NOT_TOLD}: ${why}`, tries } }
}

function isFailure({ what }: Notice): boolean {
  return what === "failed" || what === "expired"
}

/** Forgets what was shown for long enough. What somebody holds by hand stays, with everything else in the same message. */
export async function forgetUntold(spool: Spool, now: Instant, mailLifetimeMs: number, log: Log): Promise<void> {
  const shown = await spool.list()
  for (const { id, friend, receivedAt, recipients } of shown) {
    const old = receivedAt + mailLifetimeMs + NOT_TOLD_SHOWN_MS <= now
    const open = recipients.filter(({ attempt }) => attempt.at !== "done")
    if (!old || !open.every(isUntold)) continue
    await spool.remove(id)
    log.info("mail-forgotten", { message: id, friend, recipients: open.length })
  }
}

function isUntold({ attempt }: KeptRecipient): boolean {
  return attempt.at === "held" && attempt.because.startsWith(NOT_TOLD)
}
