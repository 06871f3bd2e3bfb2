import { systemClock } from "../../clock/clock.ts"
import { queueThrough, type AskedQueue } from "../../relay/ask-queue.ts"
import type { Chosen } from "../../relay/mail-queue.ts"
import { QUEUE_CHANGES, type QueueChange } from "../../relay/queue-change.ts"
import { askThrough } from "../asked-queue.ts"
import { UsageError } from "../complaint.ts"
import { EXIT, type ExitCode } from "../exit-code.ts"
import { queueToken } from "../queue-token.ts"
import { auditText, counted, messageText, queueText } from "../queue-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

const READ = { list, show, audit, note } as const
const READING = ["list", "show", "audit", "note"] as const satisfies readonly (keyof typeof READ)[]
const ACTIONS = [...READING, ...QUEUE_CHANGES] as const
type Action = (typeof ACTIONS)[number]

/** `waypost queue ACTION [ID] -c FILE`: the mail that waits, asked of the running relay and changed by it. */
export const queue = verb({
  synopsis: "queue [action] [id]",
  does: "show or change the mail that waits, while the relay runs",
  options: {
    action: {
      choices: [...ACTIONS, "token"] as const,
      default: "list" as const,
      describe:
        "flush: try now; redirect, refuse: see --to, --reason; delete: tell nobody; audit: who changed what; note: what a friend is told each day; token: let a friend do this with his own mail",
    },
    id: { type: "string", describe: "a message, as list shows it; with note and token: a friend" },
    friend: { type: "string", requiresArg: true, describe: "all of one friend's mail" },
    to: { type: "string", requiresArg: true, describe: "redirect: another address of the same friend" },
    reason: { type: "string", requiresArg: true, describe: "refuse: what the sender is told, if he may be told" },
    config: { ...CONFIG, demandOption: false },
    "token-file": { type: "string", requiresArg: true, describe: "ask as a friend: the file with his token" },
    box: { type: "string", requiresArg: true, describe: "ask as a friend: the file of his box, as in box.yaml" },
    relay: { type: "string", requiresArg: true, describe: "with --box: which of its relays" },
    list: { type: "boolean", default: false, describe: "token: who has one" },
    revoke: { type: "boolean", default: false, describe: "token: make the friend's worthless" },
    json: JSON_OUTPUT,
  },
  examples: [
    ["waypost queue -c relay.yaml", "what waits, why, and when it is tried next"],
    ["waypost queue flush --friend alice -c relay.yaml", "Alice's server is back: try everything now"],
    ["waypost queue token alice -c relay.yaml", "prints the line with which Alice asks about her own mail"],
    ["waypost queue --token-file alice.token", "what waits for Alice, and why"],
  ],
  run: async ({ action, id, friend, to, reason, list: listed, revoke, json, ...through }) => {
    if (action === "token") return queueToken({ config: through.config, friend: id, list: listed, revoke, json })
    const chosen = { id, friend }
    refuseTooMuch(action, chosen)
    const wanted = isReading(action) ? action : changeOf(action, to, reason)
    const asked = queueThrough(await askThrough({ ...through, tokenFile: through["token-file"] }))
    return typeof wanted === "string" ? READ[wanted](asked, chosen, json) : change(wanted, asked, chosen, json)
  },
})

const ABOUT_ONE: readonly Action[] = ["show", "redirect", "refuse"]
const ABOUT_ALL: readonly Action[] = ["list", "audit", "note", "flush"]

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

/** What a friend is told each day. The operator says which friend. */
async function note(asked: AskedQueue, { id, friend = id }: Chosen, json: boolean): Promise<ExitCode> {
  const told = await asked.note(friend)
  if (json) sayJson(told)
  else say(told ? [told.subject, "", ...told.lines].join("\n") : "nothing waits for long, and nothing is held")
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
