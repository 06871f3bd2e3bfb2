/**
 * The relay's own certificate: self-signed, P-256, made on the first start and kept in the state folder. Mail senders
 * that come without DANE do not check it, and those with DANE check only its key (RFC 7672 §3.1.1), so the key outlives
 * every certificate made for it: a TLSA 3 1 1 record, once published, stays true.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, X509Certificate } from "node:crypto"
import type { KeyObject } from "node:crypto"
import { join } from "node:path"
import { systemClock, type Clock, type Instant } from "../clock/clock.ts"
import { fault, FaultError } from "../faults/faults.ts"
import type { Hostname } from "../names/hostname.ts"
import { createDurably, readIfThere, replaceDurably } from "../files/durable-file.ts"

/** PEM key and certificate, and what a TLSA 3 1 1 record says about them: SHA-256 of the SPKI, in hex (RFC 6698 §2.1). */
export type OwnCertificate = { readonly key: string; readonly cert: string; readonly spkiSha256: string }

const DAY_MS = 24 * 3_600_000
/** Ours: clocks that run behind still accept a certificate made today. */
const BACKDATED_MS = DAY_MS
/** Ours: the certificate is looked at only when the relay starts, so it must outlive a long run. */
const LIFETIME_MS = 10 * 365 * DAY_MS
/** Ours: less than this left at a start, and a new one is made. */
const RENEW_BEFORE_MS = 3 * 365 * DAY_MS
/** RFC 5280 appendix A.1, ub-common-name. Longer names stand in the subject alternative name alone. */
const COMMON_NAME_CHARS_MAX = 64

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" }

/**
 * The certificate for `name`: read from the state folder, made where it is missing, made anew with the same key when the
 * name has changed or it nears its end. Rejects with a FaultError STATE_DAMAGED when the key file holds no P-256 key:
 * a new key would silently break a published TLSA record, so that is the operator's to decide.
 */
export async function ownCertificate(
  stateFolder: string,
  name: Hostname,
  clock: Clock = systemClock,
): Promise<OwnCertificate> {
  const key = await keptKey(keyFileIn(stateFolder))
  const file = join(stateFolder, "own-certificate.pem")
  const kept = await readIfThere(file)
  const cert = kept !== undefined && stillGood(kept, key, name, clock.now()) ? kept : await sign(key, name, clock.now())
  if (cert !== kept) await replaceDurably(file, cert, 0o644)
  return { key: pem(key), cert, spkiSha256: spkiSha256(key) }
}

/** What TLSA 3 1 1 says of the key that is kept; `undefined` before the first start. Changes nothing; rejects as above. */
export async function ownSpkiSha256(stateFolder: string): Promise<string | undefined> {
  const file = keyFileIn(stateFolder)
  const kept = await readIfThere(file)
  return kept === undefined ? undefined : spkiSha256(readKey(kept, file))
}

function keyFileIn(stateFolder: string): string {
  return join(stateFolder, "own-key.pem")
}

async function keptKey(file: string): Promise<KeyObject> {
  const kept = await readIfThere(file)
  if (kept !== undefined) return readKey(kept, file)
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: ALGORITHM.namedCurve })
  // Whoever comes second to this point uses the key of who came first.
  return (await createDurably(file, pem(privateKey), 0o600)) ? privateKey : keptKey(file)
}

function readKey(text: string, file: string): KeyObject {
  try {
    const key = createPrivateKey(text)
    if (key.asymmetricKeyDetails?.namedCurve === "prime256v1") return key
  } catch {
    // told below, without what the file says
  }
  throw new FaultError(fault("STATE_DAMAGED", `${file} holds no P-256 private key`))
}

function stillGood(text: string, key: KeyObject, name: Hostname, now: Instant): boolean {
  try {
    const cert = new X509Certificate(text)
    const fresh = cert.validFromDate.getTime() <= now && cert.validToDate.getTime() - now >= RENEW_BEFORE_MS
    return fresh && cert.checkHost(name) === name && cert.checkPrivateKey(key)
  } catch {
    return false
  }
}

/** Loads what makes certificates: a quarter of the program's start, and needed at the first one alone. */
async function sign(key: KeyObject, name: Hostname, now: Instant): Promise<string> {
  await import("reflect-metadata") // which x509 wants to find
  const x509 = await import("@peculiar/x509")
  const keys = {
    privateKey: key.toCryptoKey(ALGORITHM, false, ["sign"]),
    publicKey: createPublicKey(key).toCryptoKey(ALGORITHM, true, ["verify"]),
  }
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    keys,
    signingAlgorithm: ALGORITHM,
    name: name.length <= COMMON_NAME_CHARS_MAX ? `CN=${name}` : "",
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + LIFETIME_MS),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
      // RFC 5280 §4.2.1.6: critical when the subject is empty.
      new x509.SubjectAlternativeNameExtension([{ type: "dns", value: name }], name.length > COMMON_NAME_CHARS_MAX),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return `${certificate.toString("pem")}\n`
}

function spkiSha256(key: KeyObject): string {
  const spki = createPublicKey(key).export({ type: "spki", format: "der" })
  return createHash("sha256").update(spki).digest("hex")
}

function pem(key: KeyObject): string {
  return key.export({ type: "pkcs8", format: "pem" }).toString()
}
