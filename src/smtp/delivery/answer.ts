/** What an attempt came to for one recipient, before anything is decided about retry, expiry or notices. */
import { kindOf, type FaultCode } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { Proof } from "../trust/demand.ts"
import { readReply, replyText, type Reply } from "./reply.ts"

export type Answer =
  | { readonly kind: "accepted"; readonly reply: Reply; readonly from: HopFacts }
  /** No other try will help. */
  | Failed<"refused">
  /** Another try may help. */
  | Failed<"later">

type Failed<Kind> = {
  readonly kind: Kind
  readonly code: FaultCode
  readonly detail: string
  /** The next hop's own words, where it spoke. */
  readonly reply: Reply | undefined
  readonly from: HopFacts | undefined
}

/** Who answered, and over what: for the log and for notices to the sender. */
export type HopFacts = {
  /** Where we found it: for the operator alone, because it may be an address in somebody's home. */
  readonly host: string
  /** What it calls itself to strangers. */
  readonly name: Hostname | undefined
  /** TLS version and cipher; `undefined` for plain text. */
  readonly tls: string | undefined
  /** How we know whom that TLS is with; `undefined` where it may be anybody. */
  readonly proof: Proof
  /** The next hop takes over notices (RFC 3461). */
  readonly dsn: boolean
}

/** What the next hop said to a command, as the fate of the recipients it was about. Only 5xx is for ever. */
export function answerOf(text: string, from: HopFacts): Answer {
  const reply = readReply(text)
  if (reply.code >= 500 && reply.code < 600)
    return { kind: "refused", code: "HOME_REFUSES", detail: replyText(reply), reply, from }
  return { kind: "later", code: "HOME_SAYS_LATER", detail: replyText(reply), reply, from }
}

export function accepted(text: string, from: HopFacts): Answer {
  return { kind: "accepted", reply: readReply(text), from }
}

/** A fault that the next hop did not put into words itself. */
export function failed(kind: "refused" | "later", code: FaultCode, detail: string, from?: HopFacts): Answer {
  return { kind, code, detail, reply: undefined, from }
}

/** The enhanced status for a notice: the next hop's own, else the fault's (RFC 3463 §2). */
export function statusOf(answer: Failed<"refused" | "later">): string {
  const own =
    answer.reply?.code === undefined || answer.reply.code === 0 ? undefined : `${String(answer.reply.code)[0]}.0.0`
  return (
    answer.reply?.status ??
    own ??
    kindOf(answer.code).smtp?.split(" ")[1] ??
    (answer.kind === "refused" ? "5.0.0" : "4.0.0")
  )
}
