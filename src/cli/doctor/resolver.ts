/** Whether names can be looked up, and how long it takes. */
import { Resolver } from "node:dns/promises"
import type { Finding } from "./finding.ts"

const LOOKUP_DEADLINE_MS = 3_000

export async function examineResolver(
  resolver = new Resolver({ timeout: LOOKUP_DEADLINE_MS, tries: 1 }),
): Promise<Finding> {
  const what = "resolver"
  const servers = resolver.getServers().join(", ")
  try {
    const roots = await resolver.resolveNs(".") // the one question that every working resolver can answer
    return { what, state: "ok", found: `${servers} knows ${roots.length} root servers` }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException // node:dns rejects with nothing else
    return { what, state: "warn", found: `${servers} does not answer (${code})`, remedy: "run unbound on this machine" }
  }
}
