import { askSenders } from "../../relay/ask-control.ts"
import { loadConfigFile } from "../config-file.ts"
import { EXIT } from "../exit-code.ts"
import { sendersText } from "../senders-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost senders -c FILE`: how senders have come to ports that friends share, asked of the running relay. */
export const senders = verb({
  synopsis: "senders",
  does: "show how senders come to ports that friends share, while the relay runs",
  options: { config: CONFIG, json: JSON_OUTPUT },
  examples: [["waypost senders -c relay.yaml", "who was carried, who named nobody, and what became of them"]],
  run: async ({ config: file, json }) => {
    const { state } = (await loadConfigFile(file)).relay
    const counts = await askSenders(state)
    if (json) sayJson(counts)
    else say(counts.connections.length === 0 ? "nobody yet" : sendersText(counts, columns()))
    return EXIT.fine
  },
})
