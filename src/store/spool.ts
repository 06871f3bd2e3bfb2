/**
 * The spool, as intake and delivery see it: messages that the relay has answered for. What implements it keeps one
 * promise above all: `commit` resolves only when the message survives a power cut, because then the sender hears 250
 * and forgets it (RFC 5321 §6.1).
 */
import type { Instant } from "../clock/clock.ts"
import type { IpAddress } from "../names/ip-address.ts"

/** Random, made by us, safe in a file name and in a Received line; never derived from what a sender wrote. */
export type MessageId = string & { readonly __brand: "MessageId" }

/** Who is not asked for: friends whose mail can wait, and messages that are known. */
export type Except = { readonly friends: ReadonlySet<string>; readonly messages: ReadonlySet<MessageId> }

export interface Spool {
  /** Begins to keep a message. Nothing of an uncommitted draft is ever delivered, also after a crash. */
  draft(): Draft
  /** The messages with a recipient that is due at `now`, oldest attempt first; envelopes only. */
  due(now: Instant, limit: number, except?: Except): Promise<readonly KeptMessage[]>
  /** When the next recipient becomes due; `undefined` if nothing waits. */
  nextDue(): Promise<Instant | undefined>
  find(id: MessageId): Promise<KeptMessage | undefined>
  list(friend?: string): Promise<readonly KeptMessage[]>
  /** The content in pieces, as it is to be sent (CRLF line ends, not dot-stuffed), each in memory of its own that is the reader's. */
  content(id: MessageId): AsyncIterable<Uint8Array>
  /** Only the header section, at most `bytesMax`, for a DSN (RFC 3461 §6.2 RET=HDRS). */
  header(id: MessageId, bytesMax: number): Promise<Uint8Array>
  /** Records what an attempt came to; what is no longer there, or no longer waits and would wait again, is left alone. A message whose recipients are all done is removed. Durable when it resolves. */
  record(id: MessageId, outcomes: readonly Outcome[]): Promise<void>
  /** Brings every waiting recipient of a friend forward to `now`: the friend is back. Resolves to how many. */
  wake(friend: string, now: Instant): Promise<number>
  /** Brings one message's waiting recipients forward to `now`. This and the next four are durable when they resolve. */
  hurry(id: MessageId, now: Instant): Promise<number>
  /** Sets a message's waiting recipients aside until `release`; a try that is under way and fails does not undo it. Resolves to how many. */
  hold(id: MessageId, because: string): Promise<number>
  /** Makes a message's held recipients due at `now`. Resolves to how many. */
  release(id: MessageId, now: Instant): Promise<number>
  /**
   * Sends a message's waiting and held recipients to one other address, due at `now`; what they were is its ORCPT unless it
   * has one (RFC 3461 §4.2). A try that is under way is not undone. Resolves to how many they were.
   */
  redirect(id: MessageId, to: string, now: Instant): Promise<number>
  /** Forgets a message; nobody is told. Resolves to how many of its recipients had been waiting or held. */
  remove(id: MessageId): Promise<number>
  usage(friend: string): Promise<{ readonly messages: number; readonly bytes: number }>
  /** When the first of a friend's messages came that are still here, held ones too; `undefined` if there are none. */
  oldest(friend: string): Promise<Instant | undefined>
  close(): Promise<void>
}

export interface Draft {
  readonly id: MessageId
  /** Adds content; resolves when more may be given (back-pressure), and the piece is not read any more. Rejects with a FaultError SPOOL_FULL or SPOOL_FAILED. */
  write(piece: Uint8Array): Promise<void>
  /** What was written so far, in pieces. Rejects with a FaultError SPOOL_FAILED. */
  content(): AsyncIterable<Uint8Array>
  /** Makes message and envelope durable together, with `top` above what was written. Rejects with a FaultError SPOOL_FULL, QUOTA_FULL or SPOOL_FAILED; then nothing is kept. */
  commit(envelope: Envelope, top?: Uint8Array): Promise<void>
  /** Forgets the draft; safe at any time, also after a failed commit. */
  discard(): Promise<void>
}

export type Envelope = {
  readonly friend: string
  /** Reverse-path without brackets; empty for the null sender (RFC 5321 §4.5.5). */
  readonly from: string
  readonly recipients: readonly NewRecipient[]
  readonly receivedAt: Instant
  readonly body: "7bit" | "8bitmime"
  readonly smtputf8: boolean
  readonly requireTls: boolean
  /** RFC 3461 §4.3, §4.4. */
  readonly ret: "FULL" | "HDRS" | undefined
  readonly envid: string | undefined
  readonly client: Client
  /** The content is encrypted to the friend's box: nothing here can read it. */
  readonly sealed: boolean
}

/** Who handed the message in: for Received, XCLIENT and the friend's own filter. */
export type Client = {
  readonly address: IpAddress
  readonly helo: string
  /** Protocol version and cipher, or `undefined` for plain text. */
  readonly tls: string | undefined
}

export type NewRecipient = {
  readonly address: string
  /** RFC 3461 §4.1, §4.2; `orcpt` as given, "rfc822;…". */
  readonly notify: readonly Notify[] | undefined
  readonly orcpt: string | undefined
}

export type Notify = "NEVER" | "SUCCESS" | "FAILURE" | "DELAY"

export type KeptRecipient = NewRecipient & { readonly attempt: Attempt }

export type KeptMessage = Omit<Envelope, "recipients"> & {
  readonly id: MessageId
  readonly sizeBytes: number
  readonly recipients: readonly KeptRecipient[]
}

/** Where one recipient stands. */
export type Attempt =
  | { readonly at: "waiting"; readonly until: Instant; readonly tries: number; readonly lastReply: string | undefined }
  | { readonly at: "held"; readonly because: string; readonly tries: number }
  | { readonly at: "done"; readonly how: DoneHow; readonly when: Instant; readonly lastReply: string | undefined }

/** `redirected`: another recipient of the message stands for it. */
export type DoneHow = "delivered" | "refused" | "expired" | "deleted" | "redirected"

/** What an attempt came to for one recipient. */
export type Outcome = { readonly recipient: string; readonly attempt: Attempt }
