/** Tells a sender what became of a message: one notice for all recipients of whom there is something to say at once. */
import type { Clock } from "../../clock/clock.ts"
import { kindOf } from "../../faults/faults.ts"
import type { Log } from "../../log/log.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { KeptMessage, Spool } from "../../store/spool.ts"
import { writeReport } from "../dsn/report.ts"
import type { Action, Original, ReportedRecipient } from "../dsn/reported.ts"
import { statusOf, type Answer } from "./answer.ts"
import { expiry, type Notice } from "./decide.ts"
import { keepOwnMail } from "./own-mail.ts"
import { replyText } from "./reply.ts"
import { OWN_MAIL } from "./target.ts"

/** Ours: a message up to this size is returned whole to who asked for it with RET=FULL; of others the header section. */
export const RETURNED_BYTES_MAX = 64 * 1024

export type Teller = {
  readonly spool: Spool
  readonly name: Hostname
  readonly clock: Clock
  readonly log: Log
  readonly mailLifetimeMs: number
  readonly mayTell: MayTell
}

/**
 * Whether this sender may be told of it at all: the one switch between RFC 5321 §6.1, which asks for a notice, and
 * silence towards senders who may be forged. The null reverse-path is never told, whatever this says.
 */
export type MayTell = (message: KeptMessage, notice: Notice) => boolean

export const tellEverybody: MayTell = () => true

/** RFC 5321 §4.5.5: the null reverse-path is never answered. */
export function isTellable(message: KeptMessage, notice: Notice, { mayTell }: Pick<Teller, "mayTell">): boolean {
  return message.from !== "" && mayTell(message, notice)
}

/**
 * Keeps a notice for the sender in the spool, durably: only then may the failure be recorded. A crash in between tells
 * the sender twice and never not at all. Rejects as `Draft.commit` does.
 */
export async function tellSender(message: KeptMessage, notices: readonly Notice[], teller: Teller): Promise<void> {
  const { spool, name, clock, log } = teller
  const told = notices.filter((notice) => isTellable(message, notice, teller))
  for (const notice of notices) if (!told.includes(notice)) untold(message, notice, log)
  if (told.length === 0) return
  const original = await originalOf(message, spool)
  const recipients = told.map((notice) => reported(message, notice, teller))
  const at = clock.now()
  const id = await keepOwnMail(spool, { as: OWN_MAIL, name, at }, (draft) => {
    const { bytes, to, smtputf8 } = writeReport({ id: draft, reporter: name, at, original, recipients })
    return { bytes, recipients: [{ address: to, notify: undefined, orcpt: undefined }], smtputf8 }
  })
  log.info("sender-told", { message: message.id, notice: id, recipients: told.length })
}

/** What no sender is told is in the log: a double bounce (RFC 5321 §6.1), or a sender who may not be told. */
function untold({ id, from }: KeptMessage, { what, recipient, answer }: Notice, log: Log): void {
  if (what !== "failed" && what !== "expired") return
  const event = from === "" ? "double-bounce" : "sender-not-told"
  log.warn(event, { message: id, recipient: recipient.address, why: wordsFor(answer) })
}

async function originalOf(message: KeptMessage, spool: Spool): Promise<Original> {
  // RFC 8689 §5: of a message with REQUIRETLS the content is never returned, whatever RET says.
  const { from, envid, receivedAt, client, smtputf8 } = message
  const about = { from, envid, arrivedAt: receivedAt, receivedFrom: client.helo, smtputf8 }
  if (message.sealed) return { ...about, returned: undefined }
  const whole = message.ret === "FULL" && !message.requireTls && message.sizeBytes <= RETURNED_BYTES_MAX
  const returned = whole
    ? ({ kind: "message", bytes: await collect(spool.content(message.id)) } as const)
    : ({ kind: "headers", bytes: await spool.header(message.id, RETURNED_BYTES_MAX) } as const)
  return { ...about, returned }
}

async function collect(pieces: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const collected: Uint8Array[] = []
  for await (const piece of pieces) collected.push(piece)
  return Buffer.concat(collected)
}

const ACTIONS = {
  failed: "failed",
  expired: "failed",
  delayed: "delayed",
  relayed: "relayed",
} as const satisfies Record<Notice["what"], Action>

function reported(message: KeptMessage, notice: Notice, { clock, mailLifetimeMs }: Teller): ReportedRecipient {
  const { what, recipient, answer } = notice
  return {
    address: recipient.address,
    orcpt: recipient.orcpt,
    action: ACTIONS[what],
    status: noticeStatus(notice),
    words: what === "expired" ? kindOf("MAIL_EXPIRED").tell : wordsFor(answer),
    remote: answer.reply && answer.from?.name,
    reply: answer.reply && replyText(answer.reply),
    lastAttemptAt: clock.now(),
    retryUntil: what === "delayed" ? expiry(message, mailLifetimeMs) : undefined,
  }
}

function noticeStatus({ what, answer }: Notice): string {
  if (what === "expired") return "5.4.7" // RFC 3463 §3.5: delivery time expired
  return answer.kind === "accepted" ? "2.0.0" : statusOf(answer)
}

/** Only what may be told to a stranger: details are for the operator. */
function wordsFor(answer: Answer): string {
  if (answer.kind === "accepted") return "The next host took the message"
  const { tell } = kindOf(answer.code)
  // The one detail that was written for the sender.
  return answer.code === "REFUSED_BY_HAND" && answer.detail !== "" ? `${tell}: ${answer.detail}` : tell
}
