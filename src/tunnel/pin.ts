/**
 * Keys are pinned, names are not trusted: each side of a tunnel knows the other by the SHA-256 of its public key
 * (the SubjectPublicKeyInfo, as in RFC 7858 §4.2 and TLSA 3 1 1). Certificates are only the wrapping that TLS wants.
 */
import { createHash, timingSafeEqual, X509Certificate } from "node:crypto"

/** SHA-256 of a SubjectPublicKeyInfo, base64url without padding: 43 characters. */
export type Pin = string & { readonly __brand: "Pin" }

export function pin(text: string): Pin | undefined {
  return /^[A-Za-z0-9_-]{43}$/.test(text) ? (text as Pin) : undefined
}

/** The pin of a certificate's key. */
export function pinOf(certificate: X509Certificate): Pin {
  const spki = certificate.publicKey.export({ type: "spki", format: "der" })
  return createHash("sha256").update(spki).digest("base64url") as Pin
}

export function samePin(left: Pin, right: Pin): boolean {
  return timingSafeEqual(Buffer.from(left), Buffer.from(right))
}

/** As `pinOf`, from PEM. */
export function pinOfCertificate(pem: string): Pin {
  return pinOf(new X509Certificate(pem))
}
