/** The demo's table and what stands around it. The claims are the policy's levels; everything else was measured. */
import type { Command, Exchange } from "../lab/demo/demo.ts"
import type { Seen } from "../lab/demo/post.ts"
import { levelWord } from "../policy/verdict-table.ts"
import { coloured } from "./terminal.ts"
import { textTable, wrapped } from "./text-table.ts"

const HEADINGS = ["Carol sent", "she got", "Bob had", "policy: read / keep"]

export function exchangesTable(exchanges: readonly Exchange[], widthChars: number): string {
  const rows = exchanges.map((exchange) => [
    exchange.sent,
    coloured(exchange.arrived || exchange.isTrue ? "good" : "bad", exchange.outcome),
    had(exchange),
    `${levelWord(exchange.policy.read)} / ${levelWord(exchange.policy.keep)}`,
  ])
  return `${textTable([HEADINGS.map((heading) => coloured("title", heading)), ...rows], widthChars)}\n\n${conclusion(exchanges, widthChars)}`
}

function had({ bobHeld, bobKept }: Exchange): string {
  if (!bobHeld && !bobKept) return coloured("good", "nothing")
  return coloured("careful", bobKept ? "all, on disk" : "all of it")
}

/** What the columns mean, and whether the last two agree. */
function conclusion(exchanges: readonly Exchange[], widthChars: number): string {
  const wrong = exchanges.filter(({ isTrue }) => !isTrue)
  const agreement =
    wrong.length === 0
      ? coloured("good", "It agrees with what his relay says of itself.")
      : coloured("bad", `It does not agree for ${wrong.map(({ route }) => route).join(", ")}.`)
  return wrapped(`${MEASURED} ${agreement}`, widthChars).join("\n")
}

const MEASURED =
  '"Bob had" is measured: every byte that his process read or wrote in the clear was recorded, and his disk was searched while each thing arrived.'

export function commandsText(commands: readonly Command[]): string {
  return `Try it from another terminal:\n\n${commands.map(({ does, line }) => `${coloured("quiet", `# ${does}`)}\n${line}`).join("\n")}`
}

export function seenText({ by, kind, bobHeld }: Seen): string {
  const what = kind === "mail" ? "got a mail" : "answered a request"
  return `${by} ${what}; ${bobHeld ? coloured("careful", "Bob held it in the clear") : coloured("good", "Bob held nothing of it in the clear")}`
}
