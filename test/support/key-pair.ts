/** A self-signed certificate for a test, made with @peculiar/x509: nothing is read from disk. */
import "reflect-metadata"
import { createHash, webcrypto, X509Certificate } from "node:crypto"
import * as x509 from "@peculiar/x509"

export type KeyPair = { readonly key: string; readonly cert: string }

/** PEM key and certificate for the names; the first is the subject. */
export async function keyPair(...names: readonly [string, ...string[]]): Promise<KeyPair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"])
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${names[0]}`,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date("2026-01-01"),
    notAfter: new Date("2046-01-01"),
    extensions: [new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: "dns", value })))],
  })
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64")
  return {
    key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n`,
    cert: certificate.toString("pem"),
  }
}

/** What a pin, and a TLSA record 3 1 1, say of its key. */
export function spkiSha256({ cert }: KeyPair): string {
  const spki = new X509Certificate(cert).publicKey.export({ type: "spki", format: "der" })
  return createHash("sha256").update(spki).digest("hex")
}
