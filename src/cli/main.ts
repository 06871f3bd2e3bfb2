/**
 * The command line: `waypost VERB`. yargs reads it, each verb is one file in verbs/, and everything that goes wrong
 * leaves through `complaintOf` as a sentence and an exit code.
 */
import { readFileSync } from "node:fs"
import { flushCompileCache } from "node:module"
import yargs from "yargs"
import { complaintOf, UsageError } from "./complaint.ts"
import { EXIT } from "./exit-code.ts"
import { nearest } from "../names/nearest.ts"
import { columns, endQuietlyOnBrokenPipe } from "./terminal.ts"
import type { Verb } from "./verb.ts"

/** Loaded when asked for: a relay that starts again after a crash has no use for what the other verbs need. */
const VERBS: Readonly<Record<string, () => Promise<Verb>>> = {
  relay: async () => (await import("./verbs/relay.ts")).relay,
  check: async () => (await import("./verbs/check.ts")).check,
  doctor: async () => (await import("./verbs/doctor.ts")).doctor,
  explain: async () => (await import("./verbs/explain.ts")).explain,
  invite: async () => (await import("./verbs/invite.ts")).invite,
  join: async () => (await import("./verbs/join.ts")).join,
  box: async () => (await import("./verbs/box.ts")).box,
  queue: async () => (await import("./verbs/queue.ts")).queue,
  recipients: async () => (await import("./verbs/recipients.ts")).recipients,
  traffic: async () => (await import("./verbs/traffic.ts")).traffic,
  senders: async () => (await import("./verbs/senders.ts")).senders,
  demo: async () => (await import("./verbs/demo.ts")).demo,
}

/** Runs one command line (without `node` and the script) and sets the process's exit code. */
export async function main(words: readonly string[]): Promise<void> {
  endQuietlyOnBrokenPipe()
  try {
    const verbs = await verbsFor(words)
    flushCompileCache() // here, while nobody waits for an answer: it writes a file for each module, once
    await commandLine(words, verbs).parseAsync()
  } catch (error) {
    const { text, exit } = complaintOf(error)
    process.stderr.write(`${text}\n`)
    process.exitCode = exit
  }
}

/** The one that the line begins with; all where it begins with none, for help, suggestions and completion. */
function verbsFor([first = ""]: readonly string[]): Promise<readonly Verb[]> {
  const named = Object.hasOwn(VERBS, first) ? VERBS[first] : undefined
  return Promise.all((named ? [named] : Object.values(VERBS)).map((load) => load()))
}

function commandLine(words: readonly string[], verbs: readonly Verb[]) {
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
      throw error ?? wrongUsage(message, words, verbs)
    })
  for (const verb of verbs) program.command(verb)
  return program.completion("completion", "print a completion script for bash or zsh")
}

function version(): string {
  const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8")
  return (JSON.parse(text) as { version: string }).version // our own file
}

/** yargs knows what is unknown but suggests little; here it gets a suggestion and a way on. */
function wrongUsage(message: string, words: readonly string[], verbs: readonly Verb[]): UsageError {
  const verb = verbs.find(({ command }) => String(command).split(" ")[0] === words[0])
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
