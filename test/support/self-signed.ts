/** A key and a certificate that signs itself, as PEM: what a box or a sender of a test calls its own. */
import "reflect-metadata"
import { cryptoProvider, PemConverter, SubjectAlternativeNameExtension, X509CertificateGenerator } from "@peculiar/x509"
import { webcrypto } from "node:crypto"

export type KeyAndCertificate = { readonly key: string; readonly cert: string }

const DAY_MS = 24 * 3_600_000
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

export async function selfSigned(...names: readonly [string, ...string[]]): Promise<KeyAndCertificate> {
  cryptoProvider.set(webcrypto)
  const keys = await webcrypto.subtle.generateKey(P256, true, ["sign", "verify"])
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${names[0]}`,
    keys,
    signingAlgorithm: P256,
    notBefore: new Date(Date.now() - DAY_MS),
    notAfter: new Date(Date.now() + DAY_MS),
    extensions: [new SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))],
  })
  const pkcs8 = await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)
  return { key: PemConverter.encode(pkcs8, "PRIVATE KEY"), cert: certificate.toString("pem") }
}
