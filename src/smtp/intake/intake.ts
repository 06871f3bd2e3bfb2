/** What all sessions of one mail server share. */
import type { Clock } from "../../clock/clock.ts"
import type { FaultCode } from "../../faults/faults.ts"
import type { Log } from "../../log/log.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { FriendName, ListenerName, Route, Unnamed } from "../../route/route.ts"
import type { MessageId, Spool } from "../../store/spool.ts"
import type { Checker } from "../auth/checker.ts"
import type { CutThrough } from "../cut-through/cut-through.ts"
import type { Waking } from "./waking.ts"
import type { RecipientLists } from "./recipient-lists.ts"
import type { Rates } from "./rates.ts"
import type { Strangers } from "./strangers.ts"
import type { RecentRefusals } from "./recent-refusals.ts"

export type Intake = {
  /** In the greeting, in Received lines and in the certificate. */
  readonly name: Hostname
  readonly spool: Spool
  readonly routeFor: (listener: ListenerName, domain: Hostname) => Route | undefined
  readonly lists: RecipientLists
  /** `undefined`: nothing is asked of strangers. */
  readonly strangers: Strangers | undefined
  /** `undefined`: nobody finds out who mail is from. */
  readonly checker: Checker | undefined
  /** How long a listener waits before it greets. */
  readonly greetWaitMs: (listener: ListenerName) => number
  readonly limits: IntakeLimits
  readonly offersTls: boolean
  /** Whether some mail that comes to this listener goes on over checked TLS alone, so that REQUIRETLS is worth offering. */
  readonly holdsTls: (listener: ListenerName) => boolean
  readonly clock: Clock
  readonly log: Log
  readonly refusals: RecentRefusals
  /** `undefined`: no server asks for its mail. */
  readonly waking: Waking | undefined
  /** `undefined`: as often as they like. */
  readonly rates: Rates | undefined
  /** `undefined`: everything is kept. */
  readonly cutThrough: CutThrough | undefined
  /** Something was accepted and is durable. */
  readonly kept: (friend: FriendName, id: MessageId) => void
  /** A message was answered with 250, by us or by the friend's own server. */
  readonly taken: (friend: FriendName, came: CameBy, how: Taking) => void
  /** A command, a message or a connection was refused, with 4xx or 5xx. */
  readonly refused: (why: FaultCode) => void
}

/** `passed`: the friend's own server has it; `kept`: it is in our spool. */
export type Taking = "passed" | "kept"

/** `unnamed`: why its sender ended at the relay though the mail was to be carried end to end. */
export type CameBy = { readonly listener: ListenerName; readonly unnamed?: Unnamed | undefined }

export type IntakeLimits = {
  /** Announced as SIZE (RFC 1870). Our own Received line does not count. */
  readonly messageBytesMax: number
  /** RFC 5321 §4.5.3.1.8 asks for 100 at least. */
  readonly recipientsMax: number
}

/** As Postfix (smtpd_recipient_limit). */
export const RECIPIENTS_MAX = 1_000
