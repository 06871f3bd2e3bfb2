/** Rows of the spool's tables and the values of spool.ts, both ways. */
import type { IpAddress } from "../names/ip-address.ts"
import type { Attempt, DoneHow, Envelope, KeptMessage, KeptRecipient, MessageId, Notify } from "./spool.ts"

/** A message row as it comes back. The tables are STRICT and only this program writes them: that is the proof of every cast here. */
export type MessageRow = {
  readonly number: number
  readonly id: MessageId
  readonly friend: string
  readonly sender: string
  readonly received_at: number
  readonly body: Envelope["body"]
  readonly smtputf8: number
  readonly require_tls: number
  readonly ret: "FULL" | "HDRS" | null
  readonly envid: string | null
  readonly client_address: IpAddress
  readonly client_helo: string
  readonly client_tls: string | null
  readonly size_bytes: number
  readonly chunks: number
  readonly sealed: number
}

export type RecipientRow = AttemptColumns & {
  readonly address: string
  readonly notify: string | null
  readonly orcpt: string | null
}

/** Where one recipient stands, as columns. */
export type AttemptColumns = {
  readonly state: Attempt["at"]
  readonly due_at: number | null
  readonly tries: number | null
  readonly because: string | null
  readonly how: DoneHow | null
  readonly done_at: number | null
  readonly last_reply: string | null
}

export function keptMessage(row: MessageRow, recipients: readonly RecipientRow[]): KeptMessage {
  return {
    id: row.id,
    friend: row.friend,
    from: row.sender,
    recipients: recipients.map(keptRecipient),
    receivedAt: row.received_at,
    body: row.body,
    smtputf8: row.smtputf8 === 1,
    requireTls: row.require_tls === 1,
    ret: row.ret ?? undefined,
    envid: row.envid ?? undefined,
    client: { address: row.client_address, helo: row.client_helo, tls: row.client_tls ?? undefined },
    sizeBytes: row.size_bytes,
    sealed: row.sealed === 1,
  }
}

function keptRecipient(row: RecipientRow): KeptRecipient {
  return {
    address: row.address,
    notify: row.notify === null ? undefined : (row.notify.split(",") as Notify[]),
    orcpt: row.orcpt ?? undefined,
    attempt: attemptOf(row),
  }
}

function attemptOf(row: AttemptColumns): Attempt {
  const lastReply = row.last_reply ?? undefined
  switch (row.state) {
    case "waiting":
      return { at: "waiting", until: row.due_at ?? 0, tries: row.tries ?? 0, lastReply }
    case "held":
      return { at: "held", because: row.because ?? "", tries: row.tries ?? 0 }
    case "done":
      return { at: "done", how: row.how ?? "deleted", when: row.done_at ?? 0, lastReply }
  }
}

const NOTHING = { due_at: null, tries: null, because: null, how: null, done_at: null, last_reply: null }

export function attemptColumns(attempt: Attempt): AttemptColumns {
  switch (attempt.at) {
    case "waiting": {
      const { tries, lastReply = null } = attempt
      return { ...NOTHING, state: "waiting", due_at: Math.ceil(attempt.until), tries, last_reply: lastReply }
    }
    case "held":
      return { ...NOTHING, state: "held", because: attempt.because, tries: attempt.tries }
    case "done": {
      const { how, lastReply = null } = attempt
      return { ...NOTHING, state: "done", how, done_at: Math.ceil(attempt.when), last_reply: lastReply }
    }
  }
}
