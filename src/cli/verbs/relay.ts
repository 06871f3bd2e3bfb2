import { systemClock } from "../../clock/clock.ts"
import { fired } from "../../clock/grace.ts"
import type { Log } from "../../log/log.ts"
import { chooseEngine } from "../../net/choose-engine.ts"
import { readRelayFile } from "../../relay/quarantine.ts"
import { startRelay, type Relay } from "../../relay/relay.ts"
import { complaintOf } from "../complaint.ts"
import { faultless } from "../config-file.ts"
import { endAnyway } from "../end-anyway.ts"
import { EXIT } from "../exit-code.ts"
import { followFile } from "../follow-file.ts"
import { inheritance, sayListening, successorAtSignal, type Listening } from "../hand-over.ts"
import { programLog, quietUntil } from "../program-log.ts"
import { serviceManager, type ServiceManager } from "../service-manager.ts"
import { startSummary } from "../start-summary.ts"
import { stopSignal } from "../stop-signal.ts"
import { columns, say } from "../terminal.ts"
import { CONFIG, verb } from "../verb.ts"

/** `waypost relay -c FILE`: runs until it is told to stop, and follows its file. */
export const relay = verb({
  synopsis: "relay",
  does: "run a relay",
  options: {
    config: CONFIG,
    engine: {
      choices: ["native", "javascript"] as const,
      describe: "who moves the bytes; the native one where it is built",
    },
  },
  examples: [
    [
      "waypost relay -c relay.yaml",
      "SIGHUP or a changed file loads it anew, SIGUSR2 puts a new process in its place, SIGTERM ends it cleanly",
    ],
  ],
  run: async ({ config: file, engine: wish }) => {
    const inherited = inheritance()
    const stop = stopSignal({ heedsParent: inherited?.predecessor === undefined })
    let summarised = !process.stdout.isTTY
    const log = quietUntil(() => summarised, programLog())
    endOnBug(log)
    const config = faultless(await readRelayFile(file, systemClock))
    const engine = chooseEngine({ log, wish })
    const manager = serviceManager(log)
    const running = await startRelay(config, { clock: systemClock, log, engine, inherited })
    if (!summarised) say(startSummary(config, running, engine.kind, columns()))
    summarised = true
    const forget = followFile(file, () => reload(file, running, { log, manager }))
    if (inherited?.predecessor) sayListening()
    else void manager.ready(statusText(running)) // where there is one before us, it says that we are the service now
    const successor = await Promise.race([fired(stop), successorAtSignal(running, log)])
    forget()
    if (successor) void manager.replacedBy(successor.pid)
    else void manager.stopping()
    await (successor ? leave(running, successor, stop, log) : end(running, log))
    log.info("stopped")
    return EXIT.fine
  },
})

async function end(running: Relay, log: Log): Promise<void> {
  log.info("stopping")
  endAnyway(running.config.limits.drainDeadlineMs, log)
  await running.stop()
}

/** What is under way goes on for a while; who tells us to stop meanwhile shortens it. */
async function leave(running: Relay, { pid, stateFree }: Listening, stop: AbortSignal, log: Log): Promise<void> {
  log.info("replaced", { pid })
  void fired(stop).then(() => end(running, log))
  await running.leave(stateFree)
  endAnyway(0, log)
}

/** A bug leaves the process in a state that nobody knows: it is told with its stack, and the process ends. */
function endOnBug(log: Log): void {
  process.on("uncaughtException", (error) => {
    log.error("bug", { message: error.message, stack: error.stack })
    process.exit(EXIT.failed)
  })
}

/** A bad file changes nothing and is complained about. */
async function reload(file: string, running: Relay, { log, manager }: Told): Promise<void> {
  void manager.reloading()
  try {
    await running.reload(faultless(await readRelayFile(file, systemClock)))
    log.info("reloaded", { file })
  } catch (error) {
    for (const fault of complaintOf(error).text.split("\n")) log.error("not reloaded", { fault })
  }
  void manager.ready(statusText(running)) // also where the file is bad: then as before
}

type Told = { readonly log: Log; readonly manager: ServiceManager }

function statusText({ config, bound }: Relay): string {
  return `serves; friends: ${config.friends.length}, places where it listens: ${bound.length}`
}
