import { systemClock } from "../../clock/clock.ts"
import { askQueue, changeQueue } from "../../relay/ask-control.ts"
import { QUEUE_CHANGES, type Chosen, type QueueChange } from "../../relay/mail-queue.ts"
import { UsageError } from "../complaint.ts"
import { loadConfigFile } from "../config-file.ts"
import { EXIT, type ExitCode } from "../exit-code.ts"
import { counted, messageText, queueText } from "../queue-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost queue ACTION [ID] -c FILE`: the mail that waits, asked of the running relay and changed by it. */
export const queue = verb({
  synopsis: "queue [action] [id]",
  does: "show or change the mail that waits, while the relay runs",
  options: {
    action: {
      choices: ["list", "show", ...QUEUE_CHANGES] as const,
      default: "list" as const,
      describe: "flush: try now; hold, release; delete: forget it, and tell nobody",
    },
    id: { type: "string", describe: "a message, as list shows it" },
    friend: { type: "string", requiresArg: true, describe: "all of one friend's mail" },
    config: CONFIG,
    json: JSON_OUTPUT,
  },
  examples: [
    ["waypost queue -c relay.yaml", "what waits, why, and when it is tried next"],
    ["waypost queue flush --friend alice -c relay.yaml", "Alice's server is back: try everything now"],
  ],
  run: async ({ action, id, friend, config: file, json }) => {
    const chosen = { id, friend }
    refuseTooMuch(action, chosen)
    const { state } = (await loadConfigFile(file)).relay
    if (action === "list") return list(state, chosen, json)
    return action === "show" ? show(state, chosen, json) : change(action, state, chosen, json)
  },
})

/** What cannot be taken back is never done to everything. */
function refuseTooMuch(action: "list" | "show" | QueueChange, { id, friend }: Chosen): void {
  if (action === "show" && id === undefined) throw new UsageError("show what?", "Give an ID, as list shows it.")
  if (action === "list" || action === "flush" || id !== undefined || friend !== undefined) return
  throw new UsageError(
    `${action} which mail?`,
    "Give an ID, as list shows it, or --friend NAME for all of a friend's mail.",
  )
}

async function list(state: string, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const messages = await askQueue(state, chosen)
  if (json) sayJson(messages)
  else if (messages.length === 0) say(chosen.id === undefined ? "nothing waits" : notThere(chosen))
  else say(queueText(messages, systemClock.now(), columns()))
  return EXIT.fine
}

async function show(state: string, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const [message] = await askQueue(state, chosen)
  if (json) sayJson(message ?? null)
  else say(message ? messageText(message, systemClock.now(), columns()) : notThere(chosen))
  return message ? EXIT.fine : EXIT.failed
}

async function change(how: QueueChange, state: string, chosen: Chosen, json: boolean): Promise<ExitCode> {
  const changed = await changeQueue(state, how, chosen)
  const { messages, recipients } = changed
  if (json) sayJson(changed)
  else if (messages === 0) say(`nothing to ${how}`)
  else say(`${DONE[how]} ${counted(messages, "message")} (${counted(recipients, "recipient")})${FOOTNOTE[how]}`)
  return messages === 0 && chosen.id !== undefined ? EXIT.failed : EXIT.fine
}

const DONE = { flush: "trying", hold: "held", release: "released", delete: "deleted" } as const

const UNDER_WAY = "; what was being sent at this very moment may still arrive"
const FOOTNOTE = { flush: " now", hold: UNDER_WAY, release: "", delete: `, nobody was told${UNDER_WAY}` } as const

function notThere({ id, friend }: Chosen): string {
  return `${id} is not in the queue${friend === undefined ? "" : ` of ${friend}`}: delivered, deleted, or never there`
}
