/** What a notification is about, as values: everything in it that comes from a sender or a next hop is only quoted. */
import type { Instant } from "../../clock/clock.ts"
import type { Hostname } from "../../names/hostname.ts"

/** RFC 3464 §2.3.3, without those that a relay never has to say. In order of how bad the news is. */
export const ACTIONS = ["failed", "delayed", "relayed"] as const
export type Action = (typeof ACTIONS)[number]

export type Report = {
  /** Random and unique; it becomes the Message-ID and the MIME boundary. */
  readonly id: string
  readonly reporter: Hostname
  readonly at: Instant
  readonly original: Original
  readonly recipients: readonly ReportedRecipient[]
}

export type Original = {
  /** The reverse-path: who is told. */
  readonly from: string
  /** As the sender gave it (RFC 3461 §4.4), decoded. */
  readonly envid: string | undefined
  readonly arrivedAt: Instant
  /** What the sending host called itself. */
  readonly receivedFrom: string
  /** The message, or its header section alone (RFC 3461 §4.3). */
  /** The message was declared to hold UTF-8 in its header (RFC 6531). */
  readonly smtputf8: boolean
  readonly returned: Returned | undefined
}

/** Of a sealed message nothing is: nobody here can read it. */
export type Returned = { readonly kind: "message" | "headers"; readonly bytes: Uint8Array }

export type ReportedRecipient = {
  readonly address: string
  /** `type;address`, decoded (RFC 3461 §4.2). */
  readonly orcpt: string | undefined
  readonly action: Action
  /** RFC 3463. */
  readonly status: string
  /** For people. */
  readonly words: string
  /** The host that answered, and what it said; `undefined` if none did. */
  readonly remote: string | undefined
  readonly reply: string | undefined
  readonly lastAttemptAt: Instant
  /** For delays. */
  readonly retryUntil: Instant | undefined
}
