import { readFile } from "node:fs/promises"
import { text } from "node:stream/consumers"
import { domainToASCII } from "node:url"
import { HASHED_RECIPIENTS_MAX, writeHashedRecipients } from "../../route/hashed-recipients.ts"
import { UsageError } from "../complaint.ts"
import { EXIT } from "../exit-code.ts"
import { verb } from "../verb.ts"

/** `waypost recipients hash FILE`: what a friend gives to the relay in place of his addresses. */
export const recipients = verb({
  synopsis: "recipients <action> [file]",
  does: "hash a list of addresses, so that a relay can check recipients without knowing them",
  options: {
    action: { choices: ["hash"] as const, demandOption: true, describe: "write hashes of the addresses to stdout" },
    file: { type: "string", default: "-", describe: "an address on each line, # begins a comment; - is stdin" },
  },
  examples: [["waypost recipients hash addresses.txt > dave.recipients", "for the relay: recipients-file"]],
  run: async ({ file }) => {
    const source = file === "-" ? await text(process.stdin) : await readFile(file, "utf8")
    process.stdout.write(writeHashedRecipients(addressesIn(source)))
    return EXIT.fine
  },
})

function addressesIn(source: string): readonly string[] {
  const lines = source.split(/\r?\n/).map((line) => line.replace(/(?:^|\s)#.*$/, "").trim())
  const addresses = lines.flatMap((line, index) => (line === "" ? [] : [address(line, index + 1)]))
  if (addresses.length === 0) throw new UsageError("there is no address in it", "Write one on each line.")
  if (addresses.length <= HASHED_RECIPIENTS_MAX) return addresses
  throw new UsageError(`more than ${HASHED_RECIPIENTS_MAX} addresses`, "Let the relay ask your server instead.")
}

/** As it stands in an envelope that reaches the relay: the domain in A-labels. */
function address(line: string, number: number): string {
  const [, localPart, domain] = /^([^\s@]+)@([^\s@]+)$/.exec(line) ?? []
  const ascii = domainToASCII(domain ?? "")
  if (localPart !== undefined && ascii !== "") return `${localPart}@${ascii}`
  throw new UsageError(`line ${number}: "${line}" is not an address`, "Write one on each line, as dave@dave.example.")
}
