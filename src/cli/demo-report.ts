/** The demo's table and what stands around it. The claims are the policy's levels; everything else was measured. */
import type { Command, Exchange } from "../lab/demo/demo.ts"
import type { Seen } from "../lab/demo/post.ts"
import { coloured } from "./terminal.ts"
import { textTable } from "./text-table.ts"

const HEADINGS = ["route", "Carol sent", "she got", "Bob had", "his policy says"]

export function exchangesTable(exchanges: readonly Exchange[], widthChars: number): string {
  const rows = exchanges.map((exchange) => [
    exchange.route,
    exchange.sent,
    coloured(exchange.arrived ? "good" : "bad", exchange.outcome),
    had(exchange),
    `${exchange.policy.read === "by-attack" ? "read: by attack" : `read: ${exchange.policy.read}`}${exchange.policy.keep === "yes" ? ", keep: yes" : ""}`,
  ])
  return `${textTable([HEADINGS.map((heading) => coloured("title", heading)), ...rows], widthChars)}\n\n${conclusion(exchanges)}`
}

function had({ bobHeld, bobKept }: Exchange): string {
  if (!bobHeld && !bobKept) return coloured("good", "nothing")
  return coloured("careful", bobKept ? "all, on disk" : "all of it")
}

/** What the columns mean, and whether the last two agree. */
function conclusion(exchanges: readonly Exchange[]): string {
  const wrong = exchanges.filter(({ isTrue }) => !isTrue)
  const measured =
    '"Bob had" is measured: every byte that his process read or wrote in the clear was recorded,\nand his disk was searched while the mail was there.'
  return wrong.length === 0
    ? `${measured} ${coloured("good", "It agrees with what his relay says of itself.")}`
    : `${measured}\n${coloured("bad", `It does not agree for ${wrong.map(({ route }) => route).join(", ")}.`)}`
}

export function commandsText(commands: readonly Command[]): string {
  return `Try it from another terminal:\n\n${commands.map(({ does, line }) => `${coloured("quiet", `# ${does}`)}\n${line}`).join("\n")}`
}

export function seenText({ by, kind, bobHeld }: Seen): string {
  const what = kind === "mail" ? "got a mail" : "answered a request"
  return `${by} ${what}; ${bobHeld ? coloured("careful", "Bob held it in the clear") : coloured("good", "Bob held nothing of it in the clear")}`
}
