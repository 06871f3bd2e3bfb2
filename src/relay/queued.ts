/** A message of the queue as it is shown: JSON as it is, and nothing of its content. */
import type { Instant } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Attempt, KeptMessage, KeptRecipient } from "../store/spool.ts"

/** Instants are ISO 8601, so that it is JSON as it is. */
export type QueuedMessage = {
  readonly id: string
  readonly friend: string
  /** Empty for the null sender. */
  readonly from: string
  readonly receivedAt: string
  readonly sizeBytes: number
  readonly recipients: readonly QueuedRecipient[]
}

export type QueuedRecipient = {
  readonly address: string
  readonly state: Attempt["at"]
  /** Why it waits, is held, or how it ended; `undefined` where nothing was tried yet. */
  readonly why: string | undefined
  readonly tries: number | undefined
  readonly nextTryAt: string | undefined
}

export function queued({ id, friend, from, receivedAt, sizeBytes, recipients }: KeptMessage): QueuedMessage {
  return { id, friend, from, receivedAt: iso(receivedAt), sizeBytes, recipients: recipients.map(queuedRecipient) }
}

function queuedRecipient({ address, attempt }: KeptRecipient): QueuedRecipient {
  const { at: state } = attempt
  switch (attempt.at) {
    case "waiting": {
      const { lastReply: why, tries, until } = attempt
      return { address, state, why, tries, nextTryAt: iso(until) }
    }
    case "held":
      return { address, state, why: attempt.because, tries: attempt.tries, nextTryAt: undefined }
    case "done":
      return { address, state, why: wordsFor(attempt), tries: undefined, nextTryAt: undefined }
    default:
      return unreachable(attempt)
  }
}

function wordsFor({ how, lastReply }: Extract<Attempt, { at: "done" }>): string {
  return lastReply ? `${how}: ${lastReply}` : how
}

export function iso(instant: Instant): string {
  return new Date(instant).toISOString()
}
