/**
 * The relay of benchmark and soak: the whole program with the configuration it is given, but without its log, because
 * none of the others writes a line for every connection. `node relay.ts native|javascript THREADS FILE`; SIGHUP reloads.
 */
import { readFileSync } from "node:fs"
import { systemClock } from "../../src/clock/clock.ts"
import type { Config } from "../../src/config/config.ts"
import { configFaultText, readConfig } from "../../src/config/read-config.ts"
import { silentLog } from "../../src/log/log.ts"
import { chooseEngine } from "../../src/net/choose-engine.ts"
import { startRelay } from "../../src/relay/relay.ts"

const [kind, threads, file = ""] = process.argv.slice(2)
const wish = kind === "native" ? "native" : "javascript"
const engine = chooseEngine({ log: silentLog, wish, threads: Number(threads) })
if (engine.kind !== wish) throw new Error("the native engine is not built: npm run native")
const relay = await startRelay(config(), { clock: systemClock, log: silentLog, engine })
let reloaded = Promise.resolve()
process.on("SIGHUP", () => {
  reloaded = reloaded.then(() => relay.reload(config()))
})
process.once("SIGTERM", () => void relay.stop(0).then(() => process.exit(0)))
console.log("ready")

function config(): Config {
  const read = readConfig(readFileSync(file, "utf8"), file)
  if (read.kind === "faults") throw new Error(read.faults.map(configFaultText).join("\n"))
  return read.config
}
