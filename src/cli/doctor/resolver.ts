/** Whether names can be looked up, and whether the answers are known to be true. */
import type { Resolver } from "../../dns/resolver.ts"
import { testValidation } from "../../dns/validation.ts"
import type { Finding } from "./finding.ts"

export async function examineResolver(resolver: Resolver): Promise<Finding> {
  const what = "resolver"
  const servers = resolver.servers.map(({ address }) => address).join(", ")
  const tested = await testValidation(resolver)
  if (tested.kind === "off") {
    const remedy = "run unbound on this machine: without it, facts in DNS (DANE, CAA) stay unchecked"
    return { what, state: "warn", found: `${servers}: DANE is off because ${tested.because}`, remedy }
  }
  if (tested.doubt === undefined) return { what, state: "ok", found: `${servers} answers and validates (DNSSEC)` }
  return { what, state: "warn", found: `${servers}: ${tested.doubt}`, remedy: "look at its log, and at the clock" }
}
