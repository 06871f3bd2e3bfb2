/**
 * The command line: `waypost VERB`. yargs reads it, each verb is one file in verbs/, and everything that goes wrong
 * leaves through `complaintOf` as a sentence and an exit code.
 */
import { readFileSync } from "node:fs"
import yargs from "yargs"
import { complaintOf, UsageError } from "./complaint.ts"
import { EXIT } from "./exit-code.ts"
import { nearest } from "../names/nearest.ts"
import { columns, endQuietlyOnBrokenPipe } from "./terminal.ts"
import type { Verb } from "./verb.ts"
import { box } from "./verbs/box.ts"
import { check } from "./verbs/check.ts"
import { demo } from "./verbs/demo.ts"
import { doctor } from "./verbs/doctor.ts"
import { explain } from "./verbs/explain.ts"
import { invite } from "./verbs/invite.ts"
import { join } from "./verbs/join.ts"
import { queue } from "./verbs/queue.ts"
import { recipients } from "./verbs/recipients.ts"
import { relay } from "./verbs/relay.ts"
import { senders } from "./verbs/senders.ts"
import { traffic } from "./verbs/traffic.ts"

const VERBS: readonly Verb[] = [
  relay,
  check,
  doctor,
  explain,
  invite,
  join,
  box,
  queue,
  recipients,
  traffic,
  senders,
  demo,
]

/** Runs one command line (without `node` and the script) and sets the process's exit code. */
export async function main(words: readonly string[]): Promise<void> {
  endQuietlyOnBrokenPipe()
  try {
    await commandLine(words).parseAsync()
  } catch (error) {
    const { text, exit } = complaintOf(error)
    process.stderr.write(`${text}\n`)
    process.exitCode = exit
  }
}

function commandLine(words: readonly string[]) {
  const program = yargs([...words])
    .scriptName("waypost")
    .usage("$0 VERB\n\nA connection router that friends run for each other, and that says who can read what.")
    .version(version())
    .alias({ h: "help" })
    .strict()
    .recommendCommands()
    .demandCommand(1, "say what to do")
    .wrap(columns())
    .exitProcess(false)
    .epilogue(
      `Exit codes: ${Object.entries(EXIT)
        .map(([name, code]) => `${code} ${name}`)
        .join(", ")}.`,
    )
    .fail((message, error) => {
      throw error ?? wrongUsage(message, words)
    })
  for (const verb of VERBS) program.command(verb)
  return program.completion("completion", "print a completion script for bash or zsh")
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  return (JSON.parse(text) as { version: string }).version // our own file
}

/** yargs knows what is unknown but suggests little; here it gets a suggestion and a way on. */
function wrongUsage(message: string, words: readonly string[]): UsageError {
  const verb = VERBS.find(({ command }) => String(command).split(" ")[0] === words[0])
  const remedy = `"waypost ${verb ? `${words[0]} ` : ""}--help" shows what there is.`
  return new UsageError(wrongUsageSentence(message, words, verb), remedy)
}

function wrongUsageSentence(message: string, words: readonly string[], verb: Verb | undefined): string {
  const suggested = /^Did you mean (.*)\?$/.exec(message)?.[1]
  if (suggested) return `there is no verb "${words[0]}"; did you mean "${suggested}"?`
  const unknown = /^Unknown (?:arguments?|commands?): ([^,]+)/.exec(message)?.[1]
  if (unknown === undefined) return message.charAt(0).toLowerCase() + message.slice(1)
  if (words.includes(unknown)) return verb ? `"${unknown}" is one word too many` : `there is no verb "${unknown}"`
  const near = nearest(unknown, [...(verb?.optionNames ?? []), "help", "version"])
  return `--${unknown} is not an option here${near ? `; did you mean --${near}?` : ""}`
}

if (import.meta.main) await main(process.argv.slice(2))
