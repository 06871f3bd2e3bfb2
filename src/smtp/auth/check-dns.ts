/** Our resolver as mailauth asks for it: lists as `node:dns` has them, and errors by their codes. */
import { nameBytes } from "../../dns/name.ts"
import { TYPES, type DnsRecord, type RecordType } from "../../dns/message.ts"
import type { Resolver } from "../../dns/resolver.ts"

export type MailauthResolver = (name: string, type: string) => Promise<string[]>

/** No such name, or not of that type, is an answer. All else is a failure that passes: `temperror` (RFC 7208 §2.6.6). */
export function mailauthResolver(dns: Pick<Resolver, "resolve">): MailauthResolver {
  return async (name, type) => {
    if (!isKnown(type) || !nameBytes(name)) throw dnsError("EBADNAME", name)
    const found = await dns.resolve(name, type)
    switch (found.kind) {
      case "records":
        // mailauth's types know texts alone; what it takes for MX is what `resolveMx` gives.
        return found.records.map(asNode) as string[]
      case "none":
        throw dnsError(found.noSuchName ? "ENOTFOUND" : "ENODATA", name)
      case "failed":
        throw dnsError("ESERVFAIL", `${name}: ${found.because}`)
    }
  }
}

function isKnown(type: string): type is RecordType {
  return Object.hasOwn(TYPES, type)
}

function asNode(record: DnsRecord): unknown {
  switch (record.type) {
    case "A":
    case "AAAA":
      return record.address
    case "MX":
      return { priority: record.preference, exchange: record.exchange }
    case "TXT":
      return [record.text]
    case "NS":
    case "CNAME":
    case "PTR":
      return record.target
    case "TLSA":
    case "CAA":
      return record // nobody asks
  }
}

function dnsError(code: string, about: string): Error {
  return Object.assign(new Error(about), { code })
}
