/**
 * The mail that waits, as its operator sees and changes it while the relay runs: who it is for, why it waits, when it is
 * tried next. Content is no part of it. Every change is in the log.
 */
import type { Clock, Instant } from "../clock/clock.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Log } from "../log/log.ts"
import type { MailDelivery } from "../smtp/delivery/mail-delivery.ts"
import type { Attempt, KeptMessage, KeptRecipient, MessageId, Spool } from "../store/spool.ts"

export type MailQueue = {
  list(chosen: Chosen): Promise<readonly QueuedMessage[]>
  /** Resolves to what was changed, durably: messages of which no recipient was in a state to be changed are not counted. */
  change(how: QueueChange, chosen: Chosen): Promise<Changed>
}

/** One message, one friend's messages, or all; both given: the message if it is that friend's. */
export type Chosen = { readonly id: string | undefined; readonly friend: string | undefined }

/** `flush`: try now, whatever is remembered against the next hop. `delete`: nobody is told. */
export const QUEUE_CHANGES = ["flush", "hold", "release", "delete"] as const
export type QueueChange = (typeof QUEUE_CHANGES)[number]

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

type Parts = { readonly spool: Spool; readonly delivery: MailDelivery; readonly clock: Clock; readonly log: Log }

/** What a held recipient is held for. */
const BY_OPERATOR = "held by the operator"

export function mailQueue(parts: Parts): MailQueue {
  const { spool, log } = parts
  return {
    list: async (chosen) => (await choose(spool, chosen)).map(queued),
    change: async (how, chosen) => {
      const messages = await choose(spool, chosen)
      const counts = await change(how, messages, parts)
      const changed = messages.map((message, at) => ({ message, recipients: counts[at] ?? 0 }))
      const done = changed.filter(({ recipients }) => recipients > 0)
      for (const { message, recipients } of done) {
        const { id, friend, from } = message
        log.info("queue changed", { who: "operator", how, message: id, friend, from, recipients })
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

/** Resolves to how many recipients of each message were changed. The spool goes first: what it says survives. */
async function change(how: QueueChange, messages: readonly KeptMessage[], parts: Parts): Promise<readonly number[]> {
  const { spool, delivery, clock } = parts
  const each = (one: (id: MessageId) => Promise<number>) => Promise.all(messages.map(({ id }) => one(id)))
  switch (how) {
    case "flush":
      return delivery.hurry(messages)
    case "hold": {
      const counts = await each((id) => spool.hold(id, BY_OPERATOR))
      delivery.withdraw(idsOf(messages))
      return counts
    }
    case "release": {
      const counts = await each((id) => spool.release(id, clock.now()))
      delivery.nudge()
      return counts
    }
    case "delete": {
      const counts = await each((id) => spool.remove(id))
      delivery.withdraw(idsOf(messages))
      return counts
    }
    default:
      return unreachable(how)
  }
}

function idsOf(messages: readonly KeptMessage[]): ReadonlySet<MessageId> {
  return new Set(messages.map(({ id }) => id))
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
