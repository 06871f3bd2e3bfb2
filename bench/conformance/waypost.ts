/** Our own relay as a contestant: the whole of it, configured by a file as any operator would. */
import { systemClock } from "../../src/clock/clock.ts"
import { readConfig } from "../../src/config/read-config.ts"
import { silentLog } from "../../src/log/log.ts"
import { startRelay } from "../../src/relay/relay.ts"
import { scratchFolder } from "../../test/support/program.ts"
import type { Contestant } from "./contestant.ts"

/** `listeners` has one listener, bound to 127.0.0.1:0, which is the contestant's port. */
export async function startWaypost(listeners: string, friends: string): Promise<Contestant> {
  const folder = await scratchFolder()
  const text = `relay: { name: relay.bob.example, state: ${folder.path} }\nlisteners:\n${listeners}\nfriends:\n${friends}\n`
  const read = readConfig(text, "conformance.yaml")
  if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
  const relay = await startRelay(read.config, { clock: systemClock, log: silentLog })
  const [listener] = relay.bound
  if (!listener) throw new Error("nothing is bound")
  return {
    name: "Waypost",
    port: listener.bound.port,
    async [Symbol.asyncDispose]() {
      await relay.stop(0)
      await folder[Symbol.asyncDispose]()
    },
  }
}
