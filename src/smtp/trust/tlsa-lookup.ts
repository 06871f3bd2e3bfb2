/** Finds out what DNS says about a mail host's keys (RFC 7672 §2.2). */
import type { DnsRecord } from "../../dns/message.ts"
import type { Resolver } from "../../dns/resolver.ts"
import { hostname, type Hostname } from "../../names/hostname.ts"
import { usable, type Tlsa } from "./dane.ts"

export type TlsaFound =
  /** Validated. `records` are the usable ones: none means TLS with anybody, and never without (RFC 7672 §2.2). */
  | { readonly kind: "records"; readonly records: readonly Tlsa[]; readonly names: readonly Hostname[] }
  | { readonly kind: "none"; readonly because: string }
  /** Mail waits: that the answer cannot be had may be an attack (RFC 7672 §2.1.2). */
  | { readonly kind: "failed"; readonly because: string }

/** Asks first whether the host's zone is signed: servers of unsigned zones that choke on TLSA must not stop mail (§2.2.2). */
export async function findTlsa(host: Hostname, port: number, dns: Pick<Resolver, "resolve">): Promise<TlsaFound> {
  const address = await findAddress(host, dns)
  if (address.kind === "failed") return { kind: "failed", because: `address of ${host}: ${address.because}` }
  if (!address.secure) return { kind: "none", because: `the zone of ${host} is not signed` }
  // §2.2.2: a host that is an alias has its records at the true name, else at its own.
  const bases = [...new Set([address.owner, host])]
  for (const base of bases) {
    const found = await dns.resolve(`_${port}._tcp.${base}`, "TLSA")
    if (found.kind === "failed") return { kind: "failed", because: `TLSA of ${base}: ${found.because}` }
    const records = found.kind === "records" && found.secure ? found.records.flatMap(asTlsa) : []
    if (records.length > 0)
      return { kind: "records", records: usable(records), names: [base, ...bases.filter(not(base))] }
  }
  return { kind: "none", because: `${host} has no TLSA record at port ${port}` }
}

type Address =
  | { readonly kind: "failed"; readonly because: string }
  | { readonly kind: "found"; readonly secure: boolean; readonly owner: Hostname }

async function findAddress(host: Hostname, dns: Pick<Resolver, "resolve">): Promise<Address> {
  for (const type of ["A", "AAAA"] as const) {
    const found = await dns.resolve(host, type)
    if (found.kind === "failed") return found
    if (found.kind === "none" && type === "A") continue
    const owner = found.kind === "records" ? hostname(found.records[0]?.name ?? "") : undefined
    return { kind: "found", secure: found.secure, owner: owner ?? host }
  }
  return { kind: "found", secure: false, owner: host }
}

function asTlsa(record: DnsRecord): readonly Tlsa[] {
  return record.type === "TLSA" ? [record] : []
}

function not<Value>(one: Value): (other: Value) => boolean {
  return (other) => other !== one
}
