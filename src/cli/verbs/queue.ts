import { systemClock } from "../../clock/clock.ts"
import { controlOf } from "../../relay/ask-control.ts"
import { queueThrough, type AskedQueue } from "../../relay/ask-queue.ts"
import type { Chosen } from "../../relay/mail-queue.ts"
import { QUEUE_CHANGES, type QueueChange } from "../../relay/queue-change.ts"
import { UsageError } from "../complaint.ts"
import { loadConfigFile } from "../config-file.ts"
import { EXIT, type ExitCode } from "../exit-code.ts"
import { auditText, counted, messageText, queueText } from "../queue-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

const READ = { list, show, audit } as const
const READING = ["list", "show", "audit"] as const satisfies readonly (keyof typeof READ)[]
const ACTIONS = [...READING, ...QUEUE_CHANGES] as const
type Action = (typeof ACTIONS)[number]

/** `waypost queue ACTION [ID] -c FILE`: the mail that waits, asked of the running relay and changed by it. */
export const queue = verb({
  synopsis: "queue [action] [id]",
  does: "show or change the mail that waits, while the relay runs",
  options: {
    action: {
      choices: ACTIONS,
      default: "list" as const,
      describe: "flush: try now; redirect, refuse: see --to, --reason; delete: tell nobody; audit: who changed what",
    },
    id: { type: "string", describe: "a message, as list shows it" },
    friend: { type: "string", requiresArg: true, describe: "all of one friend's mail" },
    to: { type: "string", requiresArg: true, describe: "redirect: another address of the same friend" },
    reason: { type: "string", requiresArg: true, describe: "refuse: what the sender is told, if he may be told" },
    config: CONFIG,
    json: JSON_OUTPUT,
  },
  examples: [
    ["waypost queue -c relay.yaml", "what waits, why, and when it is tried next"],
    ["waypost queue flush --friend alice -c relay.yaml", "Alice's server is back: try everything now"],
  ],
  run: async ({ action, id, friend, to, reason, config: file, json }) => {
    const chosen = { id, friend }
    refuseTooMuch(action, chosen)
    const wanted = isReading(action) ? action : changeOf(action, to, reason)
    const asked = queueThrough(controlOf((await loadConfigFile(file)).relay.state))
    return typeof wanted === "string" ? READ[wanted](asked, chosen, json) : change(wanted, asked, chosen, json)
  },
})

const ABOUT_ONE: readonly Action[] = ["show", "redirect", "refuse"]
const ABOUT_ALL: readonly Action[] = ["list", "audit", "flush"]

/** What cannot be taken back is never done to everything. */
function refuseTooMuch(action: Action, { id, friend }: Chosen): void {
  if (id !== undefined || ABOUT_ALL.includes(action)) return
  if (ABOUT_ONE.includes(action)) throw new UsageError(`${action} what?`, "Give an ID, as list shows it.")
  if (friend !== undefined) return
  throw new UsageError(
    `${action} which mail?`,
    "Give an ID, as list shows it, or --friend NAME for all of a friend's mail.",
  )
}

function isReading(action: Action): action is keyof typeof READ {
  return action in READ
}

function changeOf(how: QueueChange["how"], to: string | undefined, reason = ""): QueueChange {
  if (how === "refuse") return { how, reason }
  if (how !== "redirect") return { how }
  if (to === undefined) throw new UsageError("redirect where?", "Give --to ADDRESS, an address of the same friend.")
  return { how, to }
}

async function list(asked: AskedQueue, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const messages = await asked.list(chosen)
  if (json) sayJson(messages)
  else if (messages.length === 0) say(chosen.id === undefined ? "nothing waits" : notThere(chosen))
  else say(queueText(messages, systemClock.now(), columns()))
  return EXIT.fine
}

async function show(asked: AskedQueue, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const [message] = await asked.list(chosen)
  if (json) sayJson(message ?? null)
  else say(message ? messageText(message, systemClock.now(), columns()) : notThere(chosen))
  return message ? EXIT.fine : EXIT.failed
}

async function audit(asked: AskedQueue, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const entries = await asked.audit(chosen)
  if (json) sayJson(entries)
  else say(entries.length === 0 ? "nobody has changed anything" : auditText(entries, columns()))
  return EXIT.fine
}

async function change(how: QueueChange, asked: AskedQueue, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const changed = await asked.change(how, chosen)
  const { messages, recipients } = changed
  if (json) sayJson(changed)
  else if (messages === 0) say(`nothing to ${how.how}`)
  else say(`${DONE[how.how]} ${counted(messages, "message")} (${counted(recipients, "recipient")})${FOOTNOTE[how.how]}`)
  return messages === 0 && chosen.id !== undefined ? EXIT.failed : EXIT.fine
}

const DONE = {
  flush: "trying",
  hold: "held",
  release: "released",
  redirect: "redirected",
  refuse: "refused",
  delete: "deleted",
} as const

const UNDER_WAY = "; what was being sent at this very moment may still arrive"
const FOOTNOTE = {
  flush: " now",
  hold: UNDER_WAY,
  release: "",
  redirect: UNDER_WAY,
  refuse: "; if its sender may not be told it stays, held",
  delete: `, nobody was told${UNDER_WAY}`,
} as const

function notThere({ id, friend }: Chosen): string {
  return `${id} is not in the queue${friend === undefined ? "" : ` of ${friend}`}: delivered, deleted, or never there`
}
