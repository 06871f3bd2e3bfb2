/**
 * "Why is my mail late?", told to the friend: what waits for him, since when, why and until when, and what failed without
 * anybody being told. Pure: the queue in, words out. Content of mail is no part of it.
 */
import type { Instant } from "../clock/clock.ts"
import type { QueuedMessage, QueuedRecipient } from "./queued.ts"

/** Ours, as DELAY_NOTICE_MS: what waits less is not late. */
export const LATE_MS = 4 * 3_600_000
/** Ours: more than anybody reads; the rest is counted. */
const SHOWN_MAX = 50

export type WaitingNote = { readonly subject: string; readonly lines: readonly string[] }

/** `undefined`: nothing waits for long, and nothing was held back. */
export function waitingNote(messages: readonly QueuedMessage[], relay: string, now: Instant): WaitingNote | undefined {
  const late = messages.filter((message) => isOpen(message) && (isHeld(message) || now - came(message) >= LATE_MS))
  if (late.length === 0) return undefined
  const waiting = late.filter((message) => !isHeld(message))
  const held = late.filter(isHeld)
  const subject = `${counted(waiting.length)} waiting, ${counted(held.length)} held, at ${relay}`
  return {
    subject,
    lines: [
      `The mail relay ${relay} keeps mail for you that has not reached your server.`,
      "Nobody but you is told of this.",
      ...section("Waiting, and tried again by itself:", waiting, now),
      ...section("Held: it stays until you release, redirect or delete it, or until it is forgotten:", held, now),
      "",
      "To look closer and to change it: waypost queue, with your token or your box.",
    ],
  }
}

function section(title: string, messages: readonly QueuedMessage[], now: Instant): readonly string[] {
  if (messages.length === 0) return []
  const oldestFirst = messages.toSorted((a, b) => came(a) - came(b))
  const more = messages.length > SHOWN_MAX ? [`  … and ${messages.length - SHOWN_MAX} more`] : []
  return ["", title, ...oldestFirst.slice(0, SHOWN_MAX).flatMap((message) => linesOf(message, now)), ...more]
}

function linesOf(message: QueuedMessage, now: Instant): readonly string[] {
  const { id, from, receivedAt, recipients } = message
  const hours = Math.floor((now - came(message)) / 3_600_000)
  return [
    "",
    `  ${id}, from ${from === "" ? "<> (a notice)" : shown(from)}, came ${receivedAt} (${hours} h ago)`,
    ...recipients.filter(({ state }) => state !== "done").map(recipientLine),
  ]
}

function recipientLine({ address, why, nextTryAt }: QueuedRecipient): string {
  const next = nextTryAt === undefined ? "" : `; next try ${nextTryAt}`
  return `    to ${shown(address)}: ${shown(why ?? "not tried yet")}${next}`
}

function isOpen({ recipients }: QueuedMessage): boolean {
  return recipients.some(({ state }) => state !== "done")
}

/** Nothing of it is tried any more. */
function isHeld({ recipients }: QueuedMessage): boolean {
  return recipients.every(({ state }) => state !== "waiting")
}

function came({ receivedAt }: QueuedMessage): Instant {
  return Date.parse(receivedAt)
}

function counted(count: number): string {
  return `${count} ${count === 1 ? "mail" : "mails"}`
}

/** Addresses and replies are a stranger's: no control characters, and no line of it too long for mail (RFC 5322 §2.1.1). */
function shown(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}|\p{Zl}|\p{Zp}/gu, " ").slice(0, 300)
}
