/** How senders have come to ports that friends share, in columns. */
import type { SenderCounts } from "../relay/prelude-accounts.ts"
import { textTable } from "./text-table.ts"

export function sendersText({ connections, mails }: SenderCounts, widthChars: number): string {
  const rows = connections.map(({ labels: { listener, friend, sender, outcome }, connections: count }) => [
    listener,
    friend || "-",
    `${sender}: ${outcome}`,
    String(count),
  ])
  const taken = mails.map(({ labels: { listener, friend, sender }, mails: count }) => [
    listener,
    friend,
    `mail of ${sender}: taken by the relay`,
    String(count),
  ])
  return textTable([["LISTENER", "FRIEND", "SENDER", "COUNT"], ...rows, ...taken], widthChars)
}
