/**
 * The mail that waits, as its operator sees and changes it while the relay runs: who it is for, why it waits, when it is
 * tried next. Content is no part of it. Every change is in the log and in the audit trail.
 */
import type { Instant } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import type { AuditEntry, AuditTrail } from "../store/audit-trail.ts"
import type { Attempt, KeptMessage, KeptRecipient, MessageId, Spool } from "../store/spool.ts"
import { changeMessages, isChangedBy, type ChangeParts, type QueueChange } from "./queue-change.ts"

export type MailQueue = {
  list(chosen: Chosen): Promise<readonly QueuedMessage[]>
  /**
   * Resolves to what was changed, durably: messages of which no recipient was in a state to be changed are not counted.
   * Rejects with REDIRECT_REFUSED, and with what the system says where the audit trail cannot be written: then nothing was changed.
   */
  change(change: QueueChange, chosen: Chosen, who: string): Promise<Changed>
  /** Who changed what, the newest last. */
  audit(chosen: Chosen): Promise<readonly AuditEntry[]>
}

/** One message, one friend's messages, or all; both given: the message if it is that friend's. */
export type Chosen = { readonly id: string | undefined; readonly friend: string | undefined }

export type Changed = { readonly messages: number; readonly recipients: number }

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

export type QueueParts = ChangeParts & { readonly trail: AuditTrail; readonly log: Log }

export function mailQueue(parts: QueueParts): MailQueue {
  const { spool, trail, clock, log } = parts
  return {
    list: async (chosen) => (await choose(spool, chosen)).map(queued),
    audit: (chosen) => trail.read(chosen),
    change: async (change, chosen, who) => {
      const messages = (await choose(spool, chosen)).filter((message) => isChangedBy(change, message))
      const about = { at: iso(clock.now()), who, how: change.how, ...detailOf(change) }
      // Before the change: a relay that is killed between the two leaves a line too many, never one too few.
      const writeDown = (): Promise<void> => trail.append(linesFor(messages, about))
      const counts = await changeMessages(change, messages, parts, { who, writeDown })
      const changed = messages.map((message, at) => ({ message, recipients: counts[at] ?? 0 }))
      const done = changed.filter(({ recipients }) => recipients > 0)
      for (const { message, recipients } of done) {
        const { id, friend, from } = message
        log.info("queue changed", { who, how: change.how, message: id, friend, from, recipients })
      }
      return { messages: done.length, recipients: done.reduce((sum, { recipients }) => sum + recipients, 0) }
    },
  }
}

async function choose(spool: Spool, { id, friend }: Chosen): Promise<readonly KeptMessage[]> {
  if (id === undefined) return spool.list(friend)
  const message = await spool.find(id as MessageId) // an id that nobody made finds nothing
  return message && (friend === undefined || message.friend === friend) ? [message] : []
}

/** A line for each friend, so that each can be shown his own. */
function linesFor(
  messages: readonly KeptMessage[],
  about: Omit<AuditEntry, "friend" | "messages">,
): readonly AuditEntry[] {
  const friends = Map.groupBy(messages, ({ friend }) => friend)
  return [...friends].map(([friend, own]) => ({ ...about, friend, messages: own.map(({ id }) => id) }))
}

function detailOf(change: QueueChange): Pick<AuditEntry, "detail"> {
  if (change.how === "redirect") return { detail: change.to }
  return change.how === "refuse" && change.reason !== "" ? { detail: change.reason } : {}
}

function queued({ id, friend, from, receivedAt, sizeBytes, recipients }: KeptMessage): QueuedMessage {
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

function iso(instant: Instant): string {
  return new Date(instant).toISOString()
}
