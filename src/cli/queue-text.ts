/** The queue in words and columns, 80 characters wide where the addresses allow it. */
import type { Instant } from "../clock/clock.ts"
import type { QueuedMessage, QueuedRecipient } from "../relay/queued.ts"
import type { AuditEntry } from "../store/audit-trail.ts"
import { textTable, wrapped } from "./text-table.ts"

/** One line for each message, and below it why it is still here. */
export function queueText(messages: readonly QueuedMessage[], now: Instant, widthChars: number): string {
  const rows = messages.map((message) => [
    message.id,
    age(message, now),
    size(message),
    state(message, now),
    whom(message),
  ])
  const lines = textTable([["ID", "AGE", "SIZE", "NEXT TRY", "FRIEND, RECIPIENTS"], ...rows], widthChars).split("\n")
  const bytes = messages.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0)
  return [
    ...lines,
    "",
    ...reasons(messages, widthChars),
    `${counted(messages.length, "message")}, ${sizeText(bytes)}`,
  ].join("\n")
}

/** One message with every recipient. */
export function messageText(message: QueuedMessage, now: Instant, widthChars: number): string {
  const { id, friend, from, receivedAt, recipients } = message
  const head = [
    ["message", id],
    ["friend", friend],
    ["from", shown(from) || "<> (a notice; never answered)"],
    ["came", `${receivedAt} (${age(message, now)} ago)`],
    ["size", size(message)],
  ]
  const each = recipients.map((one) => textTable(recipientRows(one, now), widthChars))
  return [textTable(head, widthChars), ...each].join("\n\n")
}

/** Who changed what, a line for each change of one friend's mail. */
export function auditText(entries: readonly AuditEntry[], widthChars: number): string {
  const rows = entries.map(({ at, who, how, friend, messages, detail = "" }) => {
    const [first = "", ...more] = messages
    return [
      at,
      who,
      how,
      friend,
      `${first}${more.length > 0 ? ` and ${more.length} more` : ""} ${shown(detail)}`.trim(),
    ]
  })
  return textTable([["WHEN", "WHO", "WHAT", "FRIEND", "MESSAGES"], ...rows], widthChars)
}

export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`
}

function recipientRows({ address, state: at, why, tries, nextTryAt }: QueuedRecipient, now: Instant): string[][] {
  return [
    ["to", shown(address)],
    ["state", at === "waiting" ? `waiting, next try ${nextTryAt} (${untilText(nextTryAt, now)})` : at],
    ...(tries === undefined ? [] : [["tries", String(tries)]]),
    ["why", shown(why ?? "not tried yet")],
  ]
}

function age({ receivedAt }: QueuedMessage, now: Instant): string {
  return durationText(now - Date.parse(receivedAt))
}

function size({ sizeBytes }: QueuedMessage): string {
  return sizeText(sizeBytes)
}

/** The soonest of its recipients. */
function state({ recipients }: QueuedMessage, now: Instant): string {
  const soonest = recipients.flatMap(({ nextTryAt }) => nextTryAt ?? []).toSorted()[0]
  return soonest === undefined ? "held" : untilText(soonest, now)
}

function whom({ friend, recipients }: QueuedMessage): string {
  const open = recipients.filter(({ state: at }) => at !== "done")
  const more = open.length > 1 ? ` and ${open.length - 1} more` : ""
  return `${friend}, ${shown(open[0]?.address ?? "")}${more}`
}

/** Each reason once, with how many recipients it keeps waiting: a dead box would say the same on every line. */
function reasons(messages: readonly QueuedMessage[], widthChars: number): readonly string[] {
  const counts = new Map<string, number>()
  for (const { state: at, why } of messages.flatMap(({ recipients }) => recipients)) {
    if (at !== "done" && why !== undefined) counts.set(why, (counts.get(why) ?? 0) + 1)
  }
  const rows = [...counts].toSorted(([, a], [, b]) => b - a).map(([why, count]) => `${count} × ${shown(why)}`)
  return rows.length > 0 ? [...rows.flatMap((row) => wrapped(row, widthChars)), ""] : []
}

function untilText(at: string | undefined, now: Instant): string {
  const leftMs = at === undefined ? 0 : Date.parse(at) - now
  return leftMs <= 0 ? "now" : `in ${durationText(leftMs)}`
}

const UNITS = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
] as const

function durationText(ms: number): string {
  const [unit, unitMs] = UNITS.find(([, one]) => ms >= one) ?? ["s", 1000]
  return `${Math.max(0, Math.floor(ms / unitMs))} ${unit}`
}

function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`
  return bytes < 1e6 ? `${Math.round(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`
}

/** Addresses and replies are a stranger's: no control characters reach the terminal. */
function shown(text: string): string {
  return text.replace(/\p{Cc}|\p{Cf}/gu, "\u{FFFD}")
}
