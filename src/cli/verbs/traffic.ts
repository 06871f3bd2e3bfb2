import { askTraffic } from "../../relay/ask-control.ts"
import { loadConfigFile } from "../config-file.ts"
import { EXIT } from "../exit-code.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { trafficText } from "../traffic-text.ts"
import { CONFIG, JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost traffic -c FILE`: what each friend's connections move, asked of the running relay. */
export const traffic = verb({
  synopsis: "traffic",
  does: "show what passes for each friend at this moment, while the relay runs",
  options: { config: CONFIG, json: JSON_OUTPUT },
  examples: [["waypost traffic -c relay.yaml", "running connections and bytes per second, friend by friend"]],
  run: async ({ config: file, json }) => {
    const { state } = (await loadConfigFile(file)).relay
    const friends = await askTraffic(state)
    if (json) sayJson(friends)
    else say(friends.length === 0 ? "no friends yet" : trafficText(friends, columns()))
    return EXIT.fine
  },
})
