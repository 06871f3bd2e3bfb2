/** Whether names can be looked up, and whether the answers are known to be true. */
import { stubResolver, systemNameServers, type Resolver } from "../../dns/resolver.ts"
import type { Finding } from "./finding.ts"

/** A question that every resolver of the public DNS can answer, and whose answer is signed. */
const SIGNED_NAME = "org"

export async function examineResolver(resolver?: Resolver): Promise<Finding> {
  const asked = resolver ?? stubResolver(await systemNameServers())
  const what = "resolver"
  const servers = asked.servers.map(({ address }) => address).join(", ")
  const answer = await asked.resolve(SIGNED_NAME, "NS")
  if (answer.kind === "failed") {
    return { what, state: "warn", found: `${servers}: ${answer.because}`, remedy: "run unbound on this machine" }
  }
  if (answer.secure) return { what, state: "ok", found: `${servers} answers and validates (DNSSEC)` }
  return {
    what,
    state: "warn",
    found: `${servers} answers; that it validates cannot be known from here`,
    remedy: "run unbound on this machine: without it, facts in DNS (DANE, CAA) stay unchecked",
  }
}
