/** What friends publish, ready to paste: zone lines, then the file for the web server; everything else is a comment. */
import type { Published, ZoneRecord } from "../relay/mail-records.ts"
import { wrapped } from "./text-table.ts"

export function recordsText(all: readonly Published[], widthChars: number): string {
  if (all.length === 0) return "; No mail is carried to a friend's own server: there is nothing to publish."
  return all.map((one) => oneText(one, widthChars)).join("\n\n")
}

function oneText({ friend, domain, host, records, policy, notes, byHand }: Published, widthChars: number): string {
  return [
    `; ${friend}: mail for ${domain} at ${host}`,
    ...zoneLines(records),
    ...notes.flatMap((note) => comment(note, widthChars)),
    ...byHand.map((line) => `; ${line}`), // whole, because it is completed and pasted
    "",
    `# ${policy.url}`,
    policy.text.trimEnd(),
  ].join("\n")
}

function zoneLines(records: readonly ZoneRecord[]): readonly string[] {
  const nameChars = Math.max(...records.map(({ name }) => name.length + 1))
  return records.map(({ name, type, data }) => `${`${name}.`.padEnd(nameChars)}  ${type.padEnd(4)}  ${data}`)
}

function comment(note: string, widthChars: number): readonly string[] {
  return wrapped(note, widthChars - 2).map((line) => `; ${line}`)
}
