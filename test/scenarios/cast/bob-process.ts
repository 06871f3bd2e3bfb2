/**
 * Bob's relay as a program of its own, under the recorder: `node --import record.ts bob-process.ts relay.yaml`. It is the
 * relay of `waypost relay`, with a clock that the test can turn.
 */
import { readFile } from "node:fs/promises"
import { dirname, join } from "node:path"
import { configFaultText } from "../../../src/config/read-config.ts"
import type { Config } from "../../../src/config/config.ts"
import type { Log } from "../../../src/log/log.ts"
import { chooseEngine } from "../../../src/net/choose-engine.ts"
import { readRelayFile } from "../../../src/relay/quarantine.ts"
import { startRelay, type Relay } from "../../../src/relay/relay.ts"
import type { Internet } from "../../../src/net/internet.ts"
import { otherInternet, type OtherInternet } from "../../support/other-internet.ts"
import { INTERNET_FILE, type FromBob, type ToBob } from "./bob-messages.ts"
import { turnedClock } from "./turned-clock.ts"

const [, , file = ""] = process.argv
const clock = turnedClock()
const log: Log = {
  info() {},
  warn: (text, fields) => say({ said: "warned", text, route: String(fields?.["route"] ?? "") }),
  error: (text, fields) => console.error(text, fields),
}

let relay: Relay | undefined
// What the native engine moves never enters JavaScript, and so not the record: only the memory can be asked about it.
const wish = process.env["WAYPOST_ENGINE"] === "native" ? "native" : "javascript"
const outside = { clock, log, engine: chooseEngine({ log, wish }), internet: internetIn(dirname(file)) }
await bring(async (config) => (relay = await startRelay(config, outside)))
process.on("message", (message: ToBob) => void hear(message))
process.on("disconnect", () => process.exit()) // the test is gone, or has seen enough

async function hear(message: ToBob): Promise<void> {
  switch (message.tell) {
    case "reload":
      return bring(async (config) => relay?.reload(config))
    case "turn":
      await clock.turn(message.ms)
      return say({ said: "turned" })
    case "stop":
      await relay?.stop(0)
      process.disconnect()
  }
}

/** Reads the file and does with it what is to be done; says how that went. */
async function bring(use: (config: Config) => Promise<unknown>): Promise<void> {
  try {
    await use(await configuration())
    if (relay) say({ said: "running", bound: relay.bound, verdicts: relay.verdicts })
  } catch (error) {
    say({ said: "refused", why: error instanceof Error ? error.message : String(error) })
  }
}

async function configuration(): Promise<Config> {
  const read = await readRelayFile(file, clock)
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}

/** The one that the test has written down by then; there is no other for a relay in a story. */
function internetIn(folder: string): Internet {
  const written = async () =>
    otherInternet(JSON.parse(await readFile(join(folder, INTERNET_FILE), "utf8")) as OtherInternet) // bob.ts wrote it
  return {
    lookup: async (name) => (await written()).lookup(name),
    connect: async (to, from, deadlineMs) => (await written()).connect(to, from, deadlineMs),
  }
}

function say(message: FromBob): void {
  process.send?.(message)
}
