/** The record that says who wants reports on TLS: `_smtp._tls.<domain>` TXT (RFC 8460 §3). Pure, never throws. */
import { mailAddress } from "../../names/mail-address.ts"

/** Ours: a domain that asks more than these is asking us to spread its mail. */
export const REPORT_ADDRESSES_MAX = 5

/** The mail addresses in `rua`; none unless exactly one of the TXT records is a TLSRPT record. What is not `mailto:` is passed over. */
export function reportAddresses(texts: readonly string[]): readonly string[] {
  const [record, ...more] = texts.filter((text) => /^v=TLSRPTv1[ \t]*;/.test(text))
  if (record === undefined || more.length > 0) return []
  const fields = record.split(";").map((field) => field.trim())
  const rua = fields.find((field) => field.startsWith("rua="))?.slice("rua=".length) ?? ""
  const found = rua.split(",").flatMap((uri) => mailtoAddress(uri.trim()) ?? [])
  return [...new Set(found)].slice(0, REPORT_ADDRESSES_MAX)
}

/** RFC 6068; header fields in it are not ours to write. */
function mailtoAddress(uri: string): string | undefined {
  const encoded = /^mailto:(?<address>[^?]+)/i.exec(uri)?.groups?.["address"]
  try {
    return encoded === undefined ? undefined : mailAddress(decodeURIComponent(encoded))
  } catch {
    return undefined // a "%" that encodes nothing
  }
}
