/** The box of the benchmark: the whole program, but without its log, because no rival writes a line for every connection. */
import { readFileSync } from "node:fs"
import { startBox } from "../../src/box/box.ts"
import { systemClock } from "../../src/clock/clock.ts"
import { readBoxConfig } from "../../src/config/box-config.ts"
import { silentLog } from "../../src/log/log.ts"

const [file = ""] = process.argv.slice(2)
const read = readBoxConfig(readFileSync(file, "utf8"), file)
if (read.kind === "faults") throw new Error(JSON.stringify(read.faults))
const box = await startBox(read.config, { clock: systemClock, log: silentLog, dice: Math.random })
process.once("SIGTERM", () => {
  void box.stop().then(() => process.exit(0))
})
