/**
 * From what an attempt came to, to what is written down and who is told. Pure, and the only place where a try, an
 * expiry or a notice is decided.
 */
import type { Instant } from "../../clock/clock.ts"
import { kindOf } from "../../faults/faults.ts"
import type { KeptMessage, KeptRecipient, Outcome } from "../../store/spool.ts"
import type { Answer } from "./answer.ts"
import { retryDelayMs, type Dice } from "./back-off.ts"
import { replyText } from "./reply.ts"
import { isOwnMail } from "./target.ts"

/** Ours, as Postfix's delay_warning_time in most hands: after this, who asked for it is told that mail is late. */
export const DELAY_NOTICE_MS = 4 * 3_600_000
/** Ours, as Postfix's bounce_queue_lifetime: who cannot be told in five days is not told. */
export const NOTICE_LIFETIME_MS = 5 * 24 * 3_600_000

/** Something that a sender may be told about one recipient. */
export type Notice = {
  readonly what: "failed" | "expired" | "delayed" | "relayed"
  readonly recipient: KeptRecipient
  readonly answer: Answer
}

export type Decision = { readonly outcome: Outcome; readonly notice: Notice | undefined }

export type Circumstances = {
  readonly now: Instant
  readonly dice: Dice
  readonly mailLifetimeMs: number
  /** The whole destination is backed off until then. */
  readonly notBefore: Instant | undefined
  /** False where nothing was tried because the destination is known to be away: it costs no try. */
  readonly tried: boolean
}

export function decide(message: KeptMessage, recipient: KeptRecipient, answer: Answer, at: Circumstances): Decision {
  const done = (how: "delivered" | "refused" | "expired"): Outcome => ({
    recipient: recipient.address,
    attempt: { at: "done", how, when: at.now, lastReply: words(answer) },
  })
  switch (answer.kind) {
    case "accepted":
      return { outcome: done("delivered"), notice: wants("SUCCESS") && !answer.from.dsn ? tell("relayed") : undefined }
    case "refused":
      return { outcome: done("refused"), notice: wants("FAILURE") ? tell("failed") : undefined }
    case "later":
      if (at.now >= expiry(message, at.mailLifetimeMs))
        return { outcome: done("expired"), notice: wants("FAILURE") ? tell("expired") : undefined }
      return { outcome: again(message, recipient, answer, at), notice: isLate() ? tell("delayed") : undefined }
  }

  /** RFC 3461 §4.1: without NOTIFY, failures are told. */
  function wants(what: "SUCCESS" | "FAILURE"): boolean {
    return recipient.notify ? recipient.notify.includes(what) : what === "FAILURE"
  }

  /** True at one attempt only: the one that `again` put at this very instant. */
  function isLate(): boolean {
    return recipient.attempt.at === "waiting" && recipient.attempt.until === delayNoticeAt(message, recipient)
  }

  function tell(what: Notice["what"]): Notice {
    return { what, recipient, answer }
  }
}

/** When the relay gives up. */
export function expiry(message: KeptMessage, mailLifetimeMs: number): Instant {
  const lifetimeMs = isOwnMail(message.friend) ? Math.min(mailLifetimeMs, NOTICE_LIFETIME_MS) : mailLifetimeMs
  return message.receivedAt + lifetimeMs
}

function again(message: KeptMessage, recipient: KeptRecipient, answer: Answer, at: Circumstances): Outcome {
  const before = recipient.attempt.at === "done" ? 0 : recipient.attempt.tries
  const tries = before + (at.tried ? 1 : 0)
  const planned = at.notBefore ?? at.now + retryDelayMs(Math.max(tries, 1), at.dice)
  const lateAt = delayNoticeAt(message, recipient) ?? 0
  const until = Math.min(planned, expiry(message, at.mailLifetimeMs), lateAt > at.now ? lateAt : Infinity)
  return { recipient: recipient.address, attempt: { at: "waiting", until, tries, lastReply: words(answer) } }
}

/** An attempt is put exactly here, so that "was it told already" needs no memory of its own and survives a crash. */
function delayNoticeAt(message: KeptMessage, recipient: KeptRecipient): Instant | undefined {
  return recipient.notify?.includes("DELAY") ? Math.ceil(message.receivedAt) + DELAY_NOTICE_MS : undefined
}

/** For the queue's reader: what the next hop said, or what is wrong. */
function words(answer: Answer): string {
  if (answer.reply !== undefined && answer.reply.code > 0) return replyText(answer.reply)
  return answer.kind === "accepted" ? "" : `${kindOf(answer.code).tell} (${answer.detail})`
}
