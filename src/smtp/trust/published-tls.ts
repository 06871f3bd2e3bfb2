/**
 * What a mail host's owner has published about its TLS, as a demand: DANE where the zone is signed, else MTA-STS, else
 * nothing. RFC 8461 §2: where both are there, DANE decides.
 */
import type { Resolver } from "../../dns/resolver.ts"
import type { Validation } from "../../dns/validation.ts"
import type { FaultCode } from "../../faults/faults.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import type { Demand } from "./demand.ts"
import { stsAllows, type StsPolicy } from "./sts-policy.ts"
import { findTlsa } from "./tlsa-lookup.ts"

export type AskedOf = {
  readonly host: Hostname | IpAddress
  readonly port: number
  /** How the host was found: written down by the friend, or by an MX record, which must itself be validated (RFC 7672 §2.2.1). */
  readonly foundSecurely: boolean
  /** Whose mail it is: the domain that may have an MTA-STS policy. */
  readonly domain: Hostname
  /** `dane-only`: nothing less than DANE will do. */
  readonly only: "dane" | undefined
}

/** No connection is to be made: it is not known, or not there, what it would have to prove. */
export type NoDemand = {
  readonly kind: "no-demand"
  readonly code: FaultCode
  readonly because: string
  /** The policy that does not name the host. */
  readonly broken?: StsPolicy
}

export type PublishedTls = (asked: AskedOf) => Promise<Demand | NoDemand>

export type PublishedSources = {
  readonly dns: Pick<Resolver, "resolve">
  readonly validation: () => Promise<Validation>
  readonly policyFor: (domain: Hostname) => Promise<StsPolicy | undefined>
}

export function publishedTls({ dns, validation, policyFor }: PublishedSources): PublishedTls {
  return async (asked) => {
    const dane = await daneFor(asked, dns, await validation())
    if (dane.kind === "no-demand") return dane
    if (dane.kind !== "none") return dane
    if (asked.only) return { kind: "no-demand", code: "HOME_WITHOUT_DANE", because: dane.because }
    return stsDemand(asked, await policyFor(asked.domain))
  }
}

/** RFC 8461 §5: `testing` asks for reports alone. */
function stsDemand({ host, domain }: AskedOf, policy: StsPolicy | undefined): Demand | NoDemand {
  if (policy?.mode !== "enforce") return { kind: "opportunistic" }
  if (stsAllows(policy, host)) return { kind: "certified", by: "mta-sts", policy }
  const because = `the MTA-STS policy of ${domain} does not name ${host}`
  return { kind: "no-demand", code: "HOME_TLS_FAILED", because, broken: policy }
}

type None = { readonly kind: "none"; readonly because: string }

async function daneFor(
  { host, port, foundSecurely, only }: AskedOf,
  dns: Pick<Resolver, "resolve">,
  validation: Validation,
): Promise<Demand | NoDemand | None> {
  if (validation.kind === "off") return { kind: "none", because: `DANE is off because ${validation.because}` }
  const name = hostname(host)
  if (!name) return { kind: "none", because: `${host} is no name` }
  if (!foundSecurely) return { kind: "none", because: "its MX record is not signed" }
  const found = await findTlsa(name, port, dns)
  if (found.kind === "failed") return { kind: "no-demand", code: "HOME_TLS_UNKNOWN", because: found.because }
  if (found.kind === "none") return found
  if (found.records.length > 0) return { kind: "dane", records: found.records, names: found.names }
  // RFC 7672 §2.2: records that nobody can use still say that there is TLS.
  return only ? { kind: "none", because: `${host} has no TLSA record that can be used` } : { kind: "encrypted" }
}
