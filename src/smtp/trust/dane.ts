/**
 * DANE for SMTP (RFC 7672): which TLSA records count, and whether the certificates that a server showed match one of
 * them. Pure. That the records are authentic is for whoever fetched them to know.
 */
import { createHash, X509Certificate } from "node:crypto"
import type { Hostname } from "../../names/hostname.ts"

/** RFC 6698 §2.1, numbers as on the wire. */
export type Tlsa = {
  readonly usage: number
  readonly selector: number
  readonly matching: number
  readonly dataHex: string
}

const DANE_TA = 2
const DANE_EE = 3
/** Ours: a chain that is longer is no honest server's. */
export const CHAIN_MAX = 10
/** RFC 5280 §4.2.1.12: id-kp-serverAuth, and any. */
const SERVER_AUTH = ["1.3.6.1.5.5.7.3.1", "2.5.29.37.0"]

/** RFC 7672 §3.1.3: usages 0 and 1 are unusable for SMTP; so are selectors and matching types that nobody defined. */
export function usable(records: readonly Tlsa[]): readonly Tlsa[] {
  const understood = records.filter(
    ({ usage, selector, matching, dataHex }) =>
      (usage === DANE_TA || usage === DANE_EE) &&
      (selector === 0 || selector === 1) &&
      (DIGEST_HEX_CHARS[matching] === undefined ? matching === 0 : dataHex.length === DIGEST_HEX_CHARS[matching]),
  )
  // RFC 7671 §9: of two digests with the same usage and selector the weaker is not looked at.
  const hasStronger = (one: Tlsa): boolean =>
    understood.some((other) => other.usage === one.usage && other.selector === one.selector && other.matching === 2)
  return understood.filter((one) => one.matching !== 1 || !hasStronger(one))
}

const DIGEST_HEX_CHARS: Readonly<Record<number, number>> = { 1: 64, 2: 128 }

type Demanded = { readonly records: readonly Tlsa[]; readonly names: readonly Hostname[] }
type Shown = { readonly leaf: Uint8Array; readonly chain: readonly Uint8Array[] }

/** `undefined` if one of the records matches, else what is wrong. `records` are usable ones. */
export function daneMismatch(demanded: Demanded, shown: Shown, now: number): string | undefined {
  try {
    return proves(demanded, shown, now)
  } catch (error) {
    return `its certificate cannot be read: ${String(error)}` // a key of a kind that OpenSSL does not know
  }
}

function proves({ records, names }: Demanded, { leaf, chain }: Shown, now: number): string | undefined {
  const server = new X509Certificate(leaf)
  // RFC 7672 §3.1.1: DANE-EE binds the key alone; names and dates in the certificate are ignored.
  if (records.some((record) => record.usage === DANE_EE && matches(record, server))) return undefined
  const anchors = records.filter(({ usage }) => usage === DANE_TA)
  const path = anchors.length > 0 ? pathToAnchor(server, chain, anchors, now) : "none"
  if (path === "none") return `its key is ${keyText(server)}, and no TLSA record matches what it showed`
  if (path === "invalid") return "its chain leads to no trust anchor that a TLSA record names"
  if (!names.some((name) => server.checkHost(name, { subject: "default" }) !== undefined))
    return `its certificate is not for ${names.join(" or ")}`
  const purposes: readonly string[] = server.keyUsage ?? [] // the extended ones, in spite of the name
  const serves = purposes.length === 0 || purposes.some((purpose) => SERVER_AUTH.includes(purpose))
  return serves ? undefined : "its certificate is not for servers"
}

function matches({ selector, matching, dataHex }: Tlsa, certificate: X509Certificate): boolean {
  const selected = selector === 0 ? certificate.raw : certificate.publicKey.export({ type: "spki", format: "der" })
  return digest(selected, matching) === dataHex
}

function digest(bytes: Uint8Array, matching: number): string {
  if (matching === 0) return Buffer.from(bytes).toString("hex")
  return createHash(matching === 1 ? "sha256" : "sha512")
    .update(bytes)
    .digest("hex")
}

/**
 * RFC 7672 §3.1.2: the trust anchor is among the certificates that the server sends. Signatures, dates and CA flags are
 * checked on the way up; name constraints and path lengths are not (docs/decisions.md).
 */
function pathToAnchor(
  server: X509Certificate,
  chain: readonly Uint8Array[],
  anchors: readonly Tlsa[],
  now: number,
): "valid" | "invalid" | "none" {
  const sent = chain.slice(0, CHAIN_MAX).map((der) => new X509Certificate(der))
  if (!sent.some((certificate) => anchors.some((anchor) => matches(anchor, certificate)))) return "none"
  let current = server
  for (let step = 0; step < CHAIN_MAX; step++) {
    if (!isCurrent(current, now)) return "invalid"
    const issuer = sent.find((one) => one.ca && !one.raw.equals(current.raw) && issued(one, current))
    if (!issuer) return "invalid"
    if (anchors.some((anchor) => matches(anchor, issuer))) return "valid"
    current = issuer
  }
  return "invalid"
}

function issued(issuer: X509Certificate, subject: X509Certificate): boolean {
  return subject.checkIssued(issuer) && subject.verify(issuer.publicKey)
}

function isCurrent({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now <= validToDate.getTime()
}

function keyText(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" })
  return `sha256:${digest(spki, 1)}`
}
