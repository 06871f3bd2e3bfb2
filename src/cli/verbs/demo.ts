import { fired } from "../../clock/grace.ts"
import { fileURLToPath } from "node:url"
import { openDemo } from "../../lab/demo/demo.ts"
import { commandsText, exchangesTable, seenText } from "../demo-report.ts"
import { EXIT } from "../exit-code.ts"
import { stopSignal } from "../stop-signal.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { JSON_OUTPUT, verb } from "../verb.ts"

const OWN_EXTENSION = import.meta.url.slice(import.meta.url.lastIndexOf("."))
const PROGRAM = fileURLToPath(new URL(`../main${OWN_EXTENSION}`, import.meta.url))

/** `waypost demo`: a relay between two homes, all on loopback; what it saw, and what it says about itself. */
export const demo = verb({
  synopsis: "demo",
  does: "run a relay and two homes on loopback, and show what the relay saw",
  options: {
    once: { type: "boolean", default: false, describe: "end after the table; exit 1 if it is not true" },
    json: JSON_OUTPUT,
  },
  run: async ({ once, json }) => {
    const stop = stopSignal()
    if (!json) say("Bob's relay, Alice's box and Dave's box, on loopback …\n")
    await using world = await openDemo(PROGRAM, (seen) => json || say(seenText(seen)))
    const { exchanges, commands } = world
    const asClaimed = exchanges.every(({ isTrue }) => isTrue)
    if (json) sayJson({ asClaimed, exchanges, commands })
    else say(exchangesTable(exchanges, columns()))
    if (!once && !json) say(`\n${commandsText(commands)}\n\nCtrl-C ends it.`)
    if (!once) await fired(stop)
    return asClaimed ? EXIT.fine : EXIT.failed
  },
})
