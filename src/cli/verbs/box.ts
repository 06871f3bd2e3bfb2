import { describeLink } from "../../box/link.ts"
import { describeSeals } from "../../box/accept-verdicts.ts"
import { describeProbe } from "../../box/self-probe.ts"
import { describeSenders, someCame } from "../../box/senders.ts"
import { systemClock } from "../../clock/clock.ts"
import type { BoxConfig } from "../../config/box-config.ts"
import { endpointText, type SocketAddress } from "../../names/endpoint.ts"
import { BOX_FILE, loadBoxFile } from "../box-file.ts"
import { EXIT } from "../exit-code.ts"
import { programLog } from "../program-log.ts"
import { runBox, savedStatus, STATUS_FRESH_MS, type SavedStatus } from "../run-box.ts"
import { stopSignal } from "../stop-signal.ts"
import { directLines } from "../direct-text.ts"
import { columns, say, sayJson } from "../terminal.ts"
import { textTable } from "../text-table.ts"
import { JSON_OUTPUT, verb } from "../verb.ts"

/** `waypost box -c FILE` runs a box; `waypost box status` says how its tunnels are. */
export const box = verb({
  synopsis: "box [action]",
  does: "run the box at home, or show how its tunnels are",
  options: {
    action: { choices: ["run", "status"] as const, default: "run" as const, describe: "what to do" },
    config: BOX_FILE,
    json: JSON_OUTPUT,
  },
  examples: [["waypost box status", "exit code 1: no tunnel is up, or a relay was found to stand in between"]],
  run: async ({ action, config: file, json }) => {
    const config = await loadBoxFile(file)
    if (action === "run") {
      await runBox(config, programLog(), stopSignal())
      return EXIT.fine
    }
    const status = await savedStatus(config)
    const running = status !== undefined && systemClock.now() - status.at < STATUS_FRESH_MS
    const { relays = [], direct = [], outgoing, sealTo } = status ?? {}
    if (json) sayJson({ running, relays, direct, outgoing, sealTo })
    else say(running ? statusText(status, config) : "No box runs with this file.")
    return running && isWell(status) ? EXIT.fine : EXIT.failed
  },
})

function isWell({ relays }: SavedStatus): boolean {
  return relays.some(({ link }) => link.at === "up") && relays.every(({ link }) => link.at !== "detached")
}

function statusText(status: SavedStatus, config: BoxConfig): string {
  const now = systemClock.now()
  const tunnels = status.relays.flatMap(({ relay, link, probe, senders, sealedToOthers }) => [
    [relay, describeLink(link, now)],
    ["", describeProbe(probe)],
    ...(sealedToOthers.length > 0 ? [["", describeSeals(sealedToOthers)]] : []),
    ...(senders && someCame(senders) ? [["", describeSenders(senders)]] : []),
  ])
  const { sealTo, outgoing } = status
  const seal = sealTo ? [["seal", sealTo]] : []
  const ways = outgoing ? [["outgoing", describeOutgoing(outgoing, config.outgoing?.login !== undefined)]] : []
  return [textTable([...tunnels, ...ways, ...seal], columns()), ...directLines(status)].join("\n")
}

function describeOutgoing(bound: SocketAddress, asksLogin: boolean): string {
  return `asked for at ${endpointText(bound)} by ${asksLogin ? "who has the login" : "whoever reaches it"}`
}
