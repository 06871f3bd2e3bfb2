/** What can be done to mail that waits. The spool always goes first: what it says survives. */
import type { Clock } from "../clock/clock.ts"
import { FaultError } from "../faults/faults.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { MailDelivery } from "../smtp/delivery/mail-delivery.ts"
import { printable } from "../smtp/delivery/reply.ts"
import type { Attempt, KeptMessage, MessageId, Spool } from "../store/spool.ts"
import { redirectTo, type Redirects } from "./redirect.ts"

/**
 * `flush`: try now, whatever is remembered against the next hop. `redirect`: to another address of the same friend. `refuse`:
 * as if the next hop had refused it. `delete`: nobody is told.
 */
export type QueueChange =
  | { readonly how: "flush" | "hold" | "release" | "delete" }
  | { readonly how: "redirect"; readonly to: string }
  | { readonly how: "refuse"; readonly reason: string }

export const QUEUE_CHANGES = ["flush", "hold", "release", "redirect", "refuse", "delete"] as const

const CHANGES: Readonly<Record<QueueChange["how"], readonly Attempt["at"][]>> = {
  flush: ["waiting"],
  hold: ["waiting"],
  release: ["held"],
  redirect: ["waiting", "held"],
  refuse: ["waiting", "held"],
  delete: ["waiting", "held"],
}

/** Whether the message has a recipient in a state to be changed. */
export function isChangedBy({ how }: QueueChange, { recipients }: KeptMessage): boolean {
  return recipients.some(({ attempt }) => CHANGES[how].includes(attempt.at))
}

export type ChangeParts = {
  readonly spool: Spool
  readonly delivery: MailDelivery
  readonly redirects: Redirects
  readonly clock: Clock
}

/** `writeDown` comes before everything that lasts, and after everything that can be refused. */
export type Doing = { readonly who: string; readonly writeDown: () => Promise<void> }

/** Resolves to how many recipients of each message were changed. Rejects with REDIRECT_REFUSED. */
export async function changeMessages(
  change: QueueChange,
  messages: readonly KeptMessage[],
  { spool, delivery, redirects, clock }: ChangeParts,
  { who, writeDown }: Doing,
): Promise<readonly number[]> {
  const ids = new Set(messages.map(({ id }) => id))
  const each = (one: (id: MessageId) => Promise<number>) => Promise.all(messages.map(({ id }) => one(id)))
  const taken = async (counts: Promise<readonly number[]>) => {
    const changed = await counts
    await delivery.withdraw(ids)
    return changed
  }
  switch (change.how) {
    case "flush":
      await writeDown()
      return delivery.hurry(messages)
    case "hold":
      await writeDown()
      return taken(each((id) => spool.hold(id, `held by ${who}`)))
    case "release": {
      await writeDown()
      const counts = await each((id) => spool.release(id, clock.now()))
      delivery.nudge()
      return counts
    }
    case "redirect": {
      const places = new Map(messages.map((message) => [message.id, placeFor(message, change.to, redirects)]))
      await writeDown()
      const counts = await taken(each((id) => spool.redirect(id, places.get(id) ?? change.to, clock.now())))
      delivery.nudge()
      return counts
    }
    case "refuse":
      await writeDown()
      await each((id) => spool.hold(id, `to be refused by ${who}`))
      return each((id) => delivery.refuse(id, printable(change.reason).slice(0, REASON_CHARS_MAX)))
    case "delete":
      await writeDown()
      return taken(each((id) => spool.remove(id)))
    default:
      return unreachable(change)
  }
}

/** Throws REDIRECT_REFUSED. */
function placeFor(message: KeptMessage, to: string, redirects: Redirects): string {
  const place = redirectTo(message, to, redirects)
  if (typeof place !== "string") throw new FaultError(place)
  return place
}

/** Ours: a sentence for the sender, not a letter. */
const REASON_CHARS_MAX = 200
