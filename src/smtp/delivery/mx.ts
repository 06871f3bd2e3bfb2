/** From a domain to the hosts that take its mail (RFC 5321 §5.1), for notices to senders. */
import { promises as dns } from "node:dns"
import type { Resolver } from "../../dns/resolver.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import { failed, type Answer } from "./answer.ts"
import type { Dice } from "./back-off.ts"
import type { Hop } from "./target.ts"

/** The resolver, as an input. */
export type MxResolver = (domain: Hostname) => Promise<MxRecords>

export type MxRecords =
  /** Empty: the name is there, MX records are not. `secure`: validated. */
  | { readonly kind: "records"; readonly records: readonly MxRecord[]; readonly secure?: boolean }
  | { readonly kind: "no-such-domain" }
  | { readonly kind: "failed"; readonly why: string }

/** `exchange` as it came: "." or "" is the null MX. */
export type MxRecord = { readonly preference: number; readonly exchange: string }

const SMTP_PORT = 25
/** Ours, as Postfix's smtp_mx_session_limit and its neighbours: enough for every honest domain. */
export const MX_HOSTS_MAX = 5

/** The system's resolver. */
export const systemMxResolver: MxResolver = async (domain) => {
  try {
    const records = await dns.resolveMx(domain)
    return { kind: "records", records: records.map(({ priority, exchange }) => ({ preference: priority, exchange })) }
  } catch (error) {
    const code = typeof error === "object" && error !== null && "code" in error ? String(error.code) : String(error)
    if (code === "ENODATA") return { kind: "records", records: [] }
    return code === "ENOTFOUND" ? { kind: "no-such-domain" } : { kind: "failed", why: code }
  }
}

/** A resolver that knows what was validated. */
export function mxResolver(dns: Pick<Resolver, "resolve">): MxResolver {
  return async (domain) => {
    const found = await dns.resolve(domain, "MX")
    if (found.kind === "failed") return { kind: "failed", why: found.because }
    if (found.kind === "none" && found.noSuchName) return { kind: "no-such-domain" }
    if (found.kind === "none") return { kind: "records", records: [], secure: found.secure }
    const records = found.records.flatMap((record) => (record.type === "MX" ? [record] : []))
    return { kind: "records", records, secure: found.secure }
  }
}

/** The hosts to try, best first, equals in random order; or why there are none. */
export function mxHops(domain: Hostname, found: MxRecords, ownName: Hostname, dice: Dice): readonly Hop[] | Answer {
  if (found.kind === "failed") return failed("later", "BACKEND_UNKNOWN", `MX of ${domain}: ${found.why}`)
  if (found.kind === "no-such-domain") return failed("refused", "DOMAIN_UNKNOWN", `${domain} does not exist`)
  // RFC 5321 §5.1: without MX records the domain itself is tried, as if it had preference 0.
  const records = found.records.length > 0 ? found.records : [{ preference: 0, exchange: domain }]
  if (isNullMx(records)) return failed("refused", "DOMAIN_WITHOUT_MAIL", `${domain} has a null MX`)
  return hostsBefore(ownName, domain, shuffledByPreference(records, dice))
}

/** RFC 7505 §3. */
function isNullMx(records: readonly MxRecord[]): boolean {
  return records.every(({ exchange }) => exchange === "." || exchange === "")
}

/** RFC 5321 §5.1: a relay that finds itself among the hosts drops itself and all that are no better. */
function hostsBefore(ownName: Hostname, domain: Hostname, records: readonly MxRecord[]): readonly Hop[] | Answer {
  const hosts = records.flatMap(({ preference, exchange }) => {
    const host = hostname(exchange)
    return host ? [{ preference, host }] : []
  })
  const own = hosts.find(({ host }) => host === ownName)
  const better = own ? hosts.filter(({ preference }) => preference < own.preference) : hosts
  if (better.length === 0 && own) return failed("refused", "NEXT_HOP_IS_US", `the best MX of ${domain} is this relay`)
  if (better.length === 0) return failed("refused", "DOMAIN_UNKNOWN", `no MX of ${domain} is a host name`)
  return better.slice(0, MX_HOSTS_MAX).map(({ host }) => ({ kind: "tcp", to: { host, port: SMTP_PORT } }))
}

function shuffledByPreference(records: readonly MxRecord[], dice: Dice): readonly MxRecord[] {
  const tossed = records.map((record) => ({ record, toss: dice() }))
  tossed.sort((left, right) => left.record.preference - right.record.preference || left.toss - right.toss)
  return tossed.map(({ record }) => record)
}
