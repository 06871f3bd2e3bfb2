/**
 * What a connection to a next hop has to prove before mail goes over it, and whether it did. Where the demand comes from
 * (the friend's configuration, DANE, MTA-STS) is decided elsewhere. Nothing here opens a connection.
 */
import { createHash, X509Certificate } from "node:crypto"
import type { ConnectionOptions, TLSSocket } from "node:tls"
import type { Hostname } from "../../names/hostname.ts"
import { CHAIN_MAX, daneMismatch, type Tlsa } from "./dane.ts"
import type { StsPolicy } from "./sts-policy.ts"

export type Demand =
  /** No TLS at all, not even where it is offered: the second try after opportunistic TLS failed. */
  | { readonly kind: "plain" }
  /** RFC 7435: TLS where it is offered, whoever it is with. */
  | { readonly kind: "opportunistic" }
  | { readonly kind: "encrypted" }
  /** One of these keys, as SHA-256 of its SubjectPublicKeyInfo in hexadecimal. */
  | { readonly kind: "pinned"; readonly spkiSha256: readonly string[] }
  /** A certificate of a trusted authority for the host that was asked for. */
  | { readonly kind: "certified"; readonly by: "verify" }
  | { readonly kind: "certified"; readonly by: "mta-sts"; readonly policy: StsPolicy }
  /** RFC 7672: what these records say. `names`: what a certificate under a trust anchor of theirs has to be for. */
  | { readonly kind: "dane"; readonly records: readonly Tlsa[]; readonly names: readonly Hostname[] }

/** How we know whom we talk to; `undefined` where nobody proved anything. */
export type Proof = "pin" | "certificate" | "mta-sts" | "dane" | undefined

export function proofOf(demand: Demand): Proof {
  switch (demand.kind) {
    case "plain":
    case "opportunistic":
    case "encrypted":
      return undefined
    case "pinned":
      return "pin"
    case "certified":
      return demand.by === "verify" ? "certificate" : "mta-sts"
    case "dane":
      return "dane"
  }
}

/** For nodemailer: whether STARTTLS is done. */
export function upgradeFor({ kind }: Demand): "plain" | "if-offered" | "required" {
  if (kind === "plain") return "plain"
  return kind === "opportunistic" ? "if-offered" : "required"
}

/** For the handshake. Pins and DANE are looked at when it is over: they do not ask any authority. */
export function tlsOptionsFor(demand: Demand, ca: readonly string[] | undefined): ConnectionOptions {
  const [name] = demand.kind === "dane" ? demand.names : []
  return {
    rejectUnauthorized: demand.kind === "certified",
    minVersion: "TLSv1.2", // RFC 8996
    ...(ca && { ca: [...ca] }),
    ...(name !== undefined && { servername: name }), // RFC 7672 §8.1: the TLSA base domain
  }
}

/** The next hop's certificate, and those that it sent with it, in order; DER. */
export type Shown = { readonly leaf: Uint8Array; readonly chain: readonly Uint8Array[] }

/** After the handshake: `undefined` if the next hop proved what was demanded, else what is wrong. */
export function unproven(demand: Demand, shown: Shown | undefined, now: number): string | undefined {
  if (demand.kind !== "pinned" && demand.kind !== "dane") return undefined
  if (!shown) return "it showed no certificate"
  if (demand.kind === "dane") return daneMismatch(demand, shown, now)
  const key = spkiSha256(shown.leaf)
  return demand.spkiSha256.includes(key) ? undefined : `its key is sha256:${key}, which is not pinned`
}

/** What `pin:sha256:` and TLSA 3 1 1 have. */
function spkiSha256(der: Uint8Array): string {
  const { publicKey } = new X509Certificate(der)
  return createHash("sha256")
    .update(publicKey.export({ type: "spki", format: "der" }))
    .digest("hex")
}

/** Certificates as Node has them once a handshake is over. */
export function shownBy(socket: TLSSocket): Shown | undefined {
  const leaf = socket.getPeerX509Certificate()
  if (!leaf) return undefined
  const chain: Uint8Array[] = []
  for (let at = leaf.issuerCertificate; at && chain.length < CHAIN_MAX; at = at.issuerCertificate) chain.push(at.raw)
  return { leaf: leaf.raw, chain }
}
