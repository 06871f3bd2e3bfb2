import { readFile, writeFile } from "node:fs/promises"
import { dirname, resolve } from "node:path"
import { createInterface } from "node:readline/promises"
import type { RelayShows } from "../../box/accept-verdicts.ts"
import { boxIdentity, boxRecipient } from "../../box/box.ts"
import { findServices, readServices } from "../../box/find-services.ts"
import { joinRelay, readInvitation, relayOf, withRelay } from "../../box/join.ts"
import { systemClock } from "../../clock/clock.ts"
import { endpointText } from "../../names/endpoint.ts"
import { BOX_FILE, loadBoxFile } from "../box-file.ts"
import { UsageError } from "../complaint.ts"
import { EXIT } from "../exit-code.ts"
import { joinedText } from "../joined-text.ts"
import { programLog } from "../program-log.ts"
import { runBox } from "../run-box.ts"
import { stopSignal } from "../stop-signal.ts"
import { say } from "../terminal.ts"
import { verb } from "../verb.ts"

/** `waypost join LINE`: attaches to a relay, writes box.yaml, and runs the box. */
export const join = verb({
  synopsis: "join [line]",
  does: "join a relay with the line that its operator sent",
  options: {
    line: { type: "string", default: "", describe: "the invitation; without it, or with -, it is asked for" },
    config: BOX_FILE,
    serve: { type: "string", array: true, describe: "a service and where it listens, as in https=127.0.0.1:443" },
    promise: {
      choices: ["none", "sealed"] as const,
      default: "none" as const,
      describe: "sealed: never attach to a relay that can read",
    },
    run: { type: "boolean", default: true, describe: "run the box afterwards (--no-run: only write the file)" },
  },
  examples: [
    ["waypost join --serve https=127.0.0.1:443", "asks for the line, which stays out of the shell's history"],
    ["waypost join - < line.txt", "reads it from a file"],
  ],
  run: async ({ line, config: file, serve, promise, run }) => {
    const invitation = readInvitation(isGiven(line) ? line : await askedFor())
    if (!invitation)
      throw new UsageError(
        "this is not an invitation, or part of it is missing",
        'It begins with "waypost:" and is one line; put it between quotes.',
      )
    const given = readServices(serve ?? [])
    if (given.kind === "refused")
      throw new UsageError(`--serve ${given.text} is not a service`, "Write NAME=HOST:PORT, as in https=127.0.0.1:443.")
    const existing = await readFile(file, "utf8").catch(() => undefined)
    const state = existing === undefined ? resolve(dirname(file), "box-state") : (await loadBoxFile(file)).state
    const identity = await boxIdentity(state, systemClock)
    const shows = await joinRelay({ invitation, identity, promise, clock: systemClock })
    const services = serve ? given.services : await findServices(listenersIn(shows))
    const written = withRelay(existing, relayOf(invitation, shows), { promise, services })
    await writeFile(file, written)
    const served = [...services].map(([name, { to }]) => `${name} at ${endpointText(to)}`)
    say(joinedText({ file, shows, services: served, sealTo: await boxRecipient(state) }))
    if (run) await runBox(await loadBoxFile(file), programLog(), stopSignal())
    return EXIT.fine
  },
})

/** yargs takes a lone `-` for an option without a name, and gives "". */
function isGiven(line: string): boolean {
  return line !== "" && line !== "-"
}

/** The first line of standard input; on a terminal it is asked for. Other users see a command line, but not this. */
async function askedFor(): Promise<string> {
  if (process.stdin.isTTY) process.stderr.write("Paste the invitation: ")
  const lines = createInterface({ input: process.stdin })
  for await (const line of lines) return line
  return ""
}

function listenersIn({ verdicts }: RelayShows): readonly string[] {
  return verdicts.map(({ listener }) => listener)
}
