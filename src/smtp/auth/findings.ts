/** What was found out about who a message is from, in the words of RFC 8601 §2.7. Values only. */
import type { IpAddress } from "../../names/ip-address.ts"

/** RFC 7208 §2.6. */
export type SpfResult = "none" | "neutral" | "pass" | "fail" | "softfail" | "temperror" | "permerror"
/** RFC 8601 §2.7.1. */
export type DkimResult = "none" | "pass" | "fail" | "policy" | "neutral" | "temperror" | "permerror"
/** RFC 8601 §2.7.5 and RFC 9989 §9.1. */
export type DmarcResult = "none" | "pass" | "fail" | "temperror" | "permerror"

/** Who handed a message in, as the dialogue said it; nothing here is from the message. */
export type HandedIn = {
  readonly address: IpAddress
  readonly helo: string
  /** Reverse-path without brackets; empty for the null sender. */
  readonly from: string
}

/** One DKIM signature and what came of it. */
export type Signature = {
  readonly result: DkimResult
  readonly why: string | undefined
  readonly domain: string | undefined
  readonly selector: string | undefined
  readonly algorithm: string | undefined
  /** Its `b=`, whose beginning tells signatures apart (RFC 6008). */
  readonly value: string | undefined
}

export type Findings = {
  readonly spf: SpfResult
  /** None: the message is not signed. */
  readonly dkim: readonly Signature[]
  readonly dmarc: {
    readonly result: DmarcResult
    readonly why: string | undefined
    /** The domain of From; `undefined` where there is not exactly one. */
    readonly from: string | undefined
    /** What that domain asks for, where it asks and the message does not pass. */
    readonly policy: "none" | "quarantine" | "reject" | undefined
  }
}

/** Nothing could be found out; never a reason to refuse or to lose mail. */
export function notFound(why: string, result: "temperror" | "permerror" = "temperror"): Findings {
  const nothing = { domain: undefined, selector: undefined, algorithm: undefined, value: undefined }
  return {
    spf: result,
    dkim: [{ result, why, ...nothing }],
    dmarc: { result, why, from: undefined, policy: undefined },
  }
}
