/**
 * Finds out who a message is from: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 9989), by mailauth. Address, HELO name
 * and sender come from the dialogue and never from the message. Runs on a thread of its own (check-worker.ts).
 */
import { Readable } from "node:stream"
import { dkimVerify } from "mailauth/lib/dkim/verify.js"
import type { DKIMResult, DKIMVerifyResult, DMARCResult } from "mailauth"
import { evaluateDmarc } from "mailauth/lib/dmarc/index.js"
import { spf } from "mailauth/lib/spf/index.js"
import type { Hostname } from "../../names/hostname.ts"
import type { MailauthResolver } from "./check-dns.ts"
import { notFound, type DkimResult, type DmarcResult, type Findings } from "./findings.ts"
import type { HandedIn, Signature, SpfResult } from "./findings.ts"
import { HeaderTooLong, verifiable } from "./signed-header.ts"

/** RFC 7208 §4.6.4: at least 20 seconds for all of it. */
const SPF_MS_MAX = 20_000
/** RFC 8301 §3.2: shorter keys prove nothing. */
const RSA_BITS_MIN = 1_024

export type Asked = { readonly name: Hostname; readonly resolver: MailauthResolver }

/** Resolves when `content` is at its end and everything is known. Rejects only if `content` does. */
export async function check(content: AsyncIterable<Uint8Array>, by: HandedIn, asked: Asked): Promise<Findings> {
  const checkingSpf = checkSpf(by, asked)
  const checked = await checkSignatures(content, asked)
  const { result, domain } = await checkingSpf
  if (!checked) return { ...notFound(HEADER_TOO_LONG, "permerror"), spf: result }
  const { response, reason } = await evaluateDmarc({
    headerFrom: checked.headerFrom,
    fromFields: checked.fromFields,
    spfDomains: result === "pass" ? [domain] : [],
    dkimDomains: checked.results.flatMap(whoSigned),
    resolver: asked.resolver,
    strict: true,
  })
  const dkim = checked.results.map(signature).filter(({ result }) => result !== "none")
  return { spf: result, dkim, dmarc: dmarcFindings(response, reason) }
}

const HEADER_TOO_LONG = "the header section is too long"

async function checkSpf({ address, helo, from }: HandedIn, { name, resolver }: Asked) {
  const found = await spf({
    sender: from,
    ip: address,
    helo,
    mta: name,
    resolver,
    strict: true,
    maxElapsedTime: SPF_MS_MAX,
  })
  return { result: found.status.result as SpfResult, domain: found.domain } // what RFC 7208 knows, in strict mode
}

/** `undefined`: the header section is too long to be looked at. */
async function checkSignatures(
  content: AsyncIterable<Uint8Array>,
  { resolver }: Asked,
): Promise<DKIMVerifyResult | undefined> {
  try {
    const readable = Readable.from(verifiable(content), { objectMode: false })
    return await dkimVerify(readable, { resolver, minBitLength: RSA_BITS_MIN, strict: true })
  } catch (error) {
    if (error instanceof HeaderTooLong) return undefined
    throw error
  }
}

function whoSigned({ signingDomain: domain, status: { result, underSized = 0 } }: DKIMResult) {
  return result === "pass" && domain !== undefined ? [{ domain, underSized }] : []
}

function signature({
  status,
  signingDomain: domain,
  selector,
  algo: algorithm,
  signature: value,
}: DKIMResult): Signature {
  const part = status.underSized ? `the last ${status.underSized} bytes of the body are not signed` : undefined
  // In strict mode it has the words of RFC 8601, and no others.
  return { result: status.result as DkimResult, why: status.comment ?? part, domain, selector, algorithm, value }
}

function dmarcFindings(response: DMARCResult | false, reason: string | undefined): Findings["dmarc"] {
  // RFC 9989 §5.3.1: without exactly one author domain nothing can be said.
  if (!response) return { result: "permerror", why: reason, from: undefined, policy: undefined }
  const { result, header } = response.status
  const policy = result === "fail" && POLICIES.has(response.policy) ? (response.policy as Policy) : undefined
  return { result: result as DmarcResult, why: undefined, from: header?.from, policy }
}

type Policy = NonNullable<Findings["dmarc"]["policy"]>
const POLICIES: ReadonlySet<string> = new Set(["none", "quarantine", "reject"])
