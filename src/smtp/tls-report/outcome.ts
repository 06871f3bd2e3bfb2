/** What came of TLS with one next hop that was held to a published policy, as a TLS report counts it (RFC 8460 §4.3). Pure. */
import type { Hostname } from "../../names/hostname.ts"
import type { AppliedPolicy } from "../trust/applied-policy.ts"

export type TlsOutcome = {
  /** The domain of the recipients. */
  readonly domain: Hostname
  readonly policy: AppliedPolicy
  /** `undefined`: TLS did what the policy asks for. */
  readonly failure: TlsFailure | undefined
}

export type TlsFailure = {
  readonly result: ResultType
  readonly host: string
  readonly sendingIp: string | undefined
  readonly receivingIp: string | undefined
  /** Why, for people. */
  readonly reason: string
}

/** RFC 8460 §4.3: those that the relay can tell. */
export type ResultType =
  | "starttls-not-supported"
  | "certificate-host-mismatch"
  | "certificate-expired"
  | "certificate-not-trusted"
  | "tlsa-invalid"
  | "validation-failure"

/** `refused`: STARTTLS was not taken. `unproven`: TLS runs, and no TLSA record matches. Else the handshake failed with `reason`. */
export function resultType(failed: {
  readonly refused: boolean
  readonly unproven: boolean
  readonly reason: string
}): ResultType {
  if (failed.refused) return "starttls-not-supported"
  if (failed.unproven) return "tlsa-invalid"
  return VERDICTS.find(({ words }) => words.test(failed.reason))?.result ?? "validation-failure"
}

/** Node and OpenSSL (X509_verify_cert_error_string) say it in these words alone: nodemailer takes the error's code away. */
const VERDICTS: readonly { readonly words: RegExp; readonly result: ResultType }[] = [
  { words: /does not match certificate's altnames/, result: "certificate-host-mismatch" },
  { words: /certificate has expired/, result: "certificate-expired" },
  { words: /self-signed certificate|unable to (?:get|verify)/, result: "certificate-not-trusted" },
]
