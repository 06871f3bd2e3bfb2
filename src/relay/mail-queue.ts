/**
 * The mail that waits, as its operator sees and changes it while the relay runs: who it is for, why it waits, when it is
 * tried next. Content is no part of it. Every change is in the log and in the audit trail.
 */
import type { Hostname } from "../names/hostname.ts"
import type { FriendName } from "../route/route.ts"
import type { Log } from "../log/log.ts"
import type { AuditEntry, AuditTrail } from "../store/audit-trail.ts"
import type { KeptMessage, MessageId, Spool } from "../store/spool.ts"
import { iso, queued, type QueuedMessage } from "./queued.ts"
import { waitingNote, type WaitingNote } from "./waiting-note.ts"
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
  /** What a friend is to know of his mail; `undefined`: nothing waits for long, and nothing was held back. */
  note(friend: FriendName): Promise<WaitingNote | undefined>
}

/** One message, one friend's messages, or all; both given: the message if it is that friend's. */
export type Chosen = { readonly id: string | undefined; readonly friend: string | undefined }

export type Changed = { readonly messages: number; readonly recipients: number }

/** `name`: the relay's own. */
export type QueueParts = ChangeParts & { readonly name: Hostname; readonly trail: AuditTrail; readonly log: Log }

export function mailQueue(parts: QueueParts): MailQueue {
  const { spool, trail, name, clock, log } = parts
  return {
    list: async (chosen) => (await choose(spool, chosen)).map(queued),
    audit: (chosen) => trail.read(chosen),
    note: async (friend) => waitingNote((await spool.list(friend)).map(queued), name, clock.now()),
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
