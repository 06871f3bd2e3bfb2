/** What `engine: kernel` needs of this machine, and whether a relay that was killed still has the kernel lead visitors. */
import type { Config } from "../../config/config.ts"
import { FaultError } from "../../faults/faults.ts"
import { tableExists } from "../../net/kernel/nft.ts"
import { askTraffic } from "../../relay/ask-control.ts"
import { kernelRoutes, markedTable, whyNotLed } from "../../relay/kernel-path.ts"
import type { Finding } from "./finding.ts"

const WHAT = "kernel path"

/** Nothing is said where nobody asks for it and nothing was left behind. */
export async function examineKernelPath(config: Config): Promise<readonly Finding[]> {
  const state = config.relay.state
  const table = await markedTable(state)
  if (table !== undefined && !(await isRunning(state)) && (await tableExists(table))) {
    const found = `table inet ${table} was left behind by a relay that was killed, and still leads visitors`
    return [{ what: WHAT, state: "warn", found, remedy: "the next start removes it, or replaces it" }]
  }
  const routes = kernelRoutes(config)
  if (routes.length === 0) return []
  const not = await whyNotLed(routes)
  if (not) return [{ what: WHAT, state: "warn", found: `${not.why}: the relay carries itself`, remedy: not.remedy }]
  return [{ what: WHAT, state: "ok", found: "the kernel can lead visitors" }]
}

async function isRunning(state: string): Promise<boolean> {
  try {
    await askTraffic(state)
    return true
  } catch (error) {
    return !(error instanceof FaultError)
  }
}
