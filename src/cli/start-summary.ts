/** What a relay says on a terminal when it has started. */
import type { Config } from "../config/config.ts"
import { endpointText } from "../names/endpoint.ts"
import { describeRoute } from "../route/describe.ts"
import type { Relay } from "../relay/relay.ts"
import { assessmentText } from "./assessment-text.ts"
import { coloured } from "./terminal.ts"
import { textTable } from "./text-table.ts"

/** `engine`: which one moves the bytes. */
export function startSummary(config: Config, { bound, verdicts }: Relay, engine: string, widthChars: number): string {
  const listening = bound.map(({ listener, bound: at }) => [listener, endpointText(at)])
  const routes = config.friends.flatMap((friend) => friend.routes.map(describeRoute))
  const friends = config.friends.map(({ name }) => name).join(", ")
  return [
    coloured("title", `${config.relay.name} carries for ${friends || "nobody"}`) + ` (${engine} engine)`,
    textTable(listening, widthChars),
    routes.join("\n"),
    assessmentText({ verdicts, broken: [] }, widthChars),
    "Ctrl-C ends it.\n",
  ].join("\n\n")
}
