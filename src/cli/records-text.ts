/** What friends publish, ready to paste: zone lines, then the file for the web server; everything else is a comment. */
import type { SenderRecords } from "../relay/outgoing-records.ts"
import type { Published, ZoneRecord } from "../relay/mail-records.ts"
import { wrapped } from "./text-table.ts"

export function recordsText(all: readonly Published[], widthChars: number): string {
  if (all.length === 0) return "; No mail is carried: there is nothing to publish."
  return all.map((one) => oneText(one, widthChars)).join("\n\n")
}

/** The same for mail that friends send. Nothing where nobody may. */
export function senderRecordsText(all: readonly SenderRecords[], widthChars: number): string {
  return all
    .map(({ friend, addresses, ehlo, records, askedFor, notes }) =>
      [
        `; ${friend}: mail that leaves from ${addresses.join(", ")}`,
        ...zoneLines(records),
        ...comment("To be asked of whoever gave these addresses to the relay:", widthChars),
        ...askedFor.map(({ name, type, data }) => `; ${name}. ${type} ${data}`),
        ...comment(`The mail server at home says EHLO ${ehlo} (Postfix: smtp_helo_name; Exim: helo_data).`, widthChars),
        ...notes.flatMap((note) => comment(note, widthChars)),
      ].join("\n"),
    )
    .join("\n\n")
}

function oneText({ friend, domain, host, records, policy, notes, byHand }: Published, widthChars: number): string {
  return [
    `; ${friend}: mail for ${domain} at ${host}`,
    ...zoneLines(records),
    ...notes.flatMap((note) => comment(note, widthChars)),
    ...byHand.map((line) => `; ${line}`), // whole, because it is completed and pasted
    ...(policy ? ["", `# ${policy.url}`, policy.text.trimEnd()] : []),
  ].join("\n")
}

function zoneLines(records: readonly ZoneRecord[]): readonly string[] {
  const nameChars = Math.max(...records.map(({ name }) => name.length + 1))
  return records.map(({ name, type, data }) => `${`${name}.`.padEnd(nameChars)}  ${type.padEnd(4)}  ${data}`)
}

function comment(note: string, widthChars: number): readonly string[] {
  return wrapped(note, widthChars - 2).map((line) => `; ${line}`)
}
