/** A small authority for tests: a root, an intermediate and a server's certificate, each with what a test wants wrong. */
import "reflect-metadata"
import { webcrypto } from "node:crypto"
import * as x509 from "@peculiar/x509"

export type Issued = { readonly certificate: x509.X509Certificate; readonly keys: webcrypto.CryptoKeyPair }

export type About = {
  readonly subject: string
  /** Itself if not given. */
  readonly issuer?: Issued
  readonly ca?: boolean
  readonly names?: readonly string[]
  readonly notAfter?: Date
  /** Extended key usages, as OIDs. */
  readonly purposes?: readonly string[]
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

export async function issue(about: About): Promise<Issued> {
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.create({
    subject: `CN=${about.subject}`,
    issuer: about.issuer?.certificate.subject ?? `CN=${about.subject}`,
    publicKey: keys.publicKey,
    signingKey: (about.issuer?.keys ?? keys).privateKey,
    signingAlgorithm: ALGORITHM,
    notBefore: new Date("2026-01-01"),
    notAfter: about.notAfter ?? new Date("2046-01-01"),
    extensions: [
      new x509.BasicConstraintsExtension(about.ca ?? false),
      ...(about.names
        ? [new x509.SubjectAlternativeNameExtension(about.names.map((value) => ({ type: "dns", value })))]
        : []),
      ...(about.purposes ? [new x509.ExtendedKeyUsageExtension([...about.purposes])] : []),
    ],
  })
  return { certificate, keys }
}

export function der({ certificate }: Issued): Uint8Array {
  return new Uint8Array(certificate.rawData)
}
