import { loadConfigFile } from "../config-file.ts"
import { examine } from "../doctor/examine.ts"
import type { Finding } from "../doctor/finding.ts"
import { EXIT } from "../exit-code.ts"
import { coloured, columns, say, sayJson, type Mood } from "../terminal.ts"
import { textTable } from "../text-table.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost doctor`: what this machine gives to a relay, and what to do where it does not. */
export const doctor = verb({
  synopsis: "doctor",
  does: "look at this machine: ports, addresses, clock, resolver, limits",
  options: { config: { ...CONFIG, demandOption: false }, json: JSON_OUTPUT },
  examples: [["waypost doctor -c relay.yaml", "try the listeners and the state folder of that file"]],
  run: async ({ config: file, json }) => {
    const findings = await examine(file === undefined ? undefined : await loadConfigFile(file))
    if (json) sayJson(findings)
    else say(textTable(findings.map(row), columns()))
    return findings.some(({ state }) => state === "fail") ? EXIT.failed : EXIT.fine
  },
})

const MOODS: Readonly<Record<Finding["state"], Mood>> = { ok: "good", warn: "careful", fail: "bad" }

function row({ state, what, found, remedy }: Finding): readonly string[] {
  return [coloured(MOODS[state], state), what, remedy === undefined ? found : `${found}; ${remedy}`]
}
