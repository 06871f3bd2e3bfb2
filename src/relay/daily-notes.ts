/**
 * Writes each friend who has asked for it (`notes-to`) one mail a day while something waits for him. It is kept as our own
 * notices are: from the null sender, answered by nobody, never itself among what it lists. When the last one went is in
 * the state folder, so that a restart writes none twice; a kill in between may.
 *
 *     STATE/notes/FRIEND.json    { "at": … }
 */
import { join } from "node:path"
import type { Clock, Instant } from "../clock/clock.ts"
import { readIfThere, replaceDurably } from "../files/durable-file.ts"
import type { Log } from "../log/log.ts"
import type { Hostname } from "../names/hostname.ts"
import type { FriendName } from "../route/route.ts"
import { keepOwnMail, plainly } from "../smtp/delivery/own-mail.ts"
import { OWN_MAIL } from "../smtp/delivery/target.ts"
import { dateTime } from "../smtp/dsn/fields.ts"
import { mimePart } from "../smtp/dsn/mime-part.ts"
import type { MessageId, Spool } from "../store/spool.ts"
import type { MailQueue } from "./mail-queue.ts"
import type { WaitingNote } from "./waiting-note.ts"

export type NotesOptions = {
  readonly stateFolder: string
  readonly name: Hostname
  /** Who wants notes, and where. */
  readonly wanted: () => readonly { readonly friend: FriendName; readonly to: string }[]
  readonly queue: Pick<MailQueue, "note">
  readonly spool: Pick<Spool, "draft">
  /** A note was kept: it can be delivered. */
  readonly kept: () => void
  readonly clock: Clock
  readonly log: Log
}

const DAY_MS = 24 * 3_600_000
/** Ours: how often it is looked whether a day is over. */
export const NOTES_LOOK_MS = 900_000

/** Looks until it is stopped. */
export function dailyNotes(options: NotesOptions): { stop(): void } {
  const { clock, log, wanted } = options
  let forget = (): void => {}
  let stopped = false
  const look = async (): Promise<void> => {
    for (const { friend, to } of wanted()) {
      await noteIfDue(friend, to, options).catch((error: unknown) =>
        log.error("note not written", { friend, why: String(error) }),
      )
    }
    if (!stopped) wait()
  }
  const wait = (): void => void (forget = clock.after(NOTES_LOOK_MS, () => void look()))
  wait()
  return {
    stop: () => {
      stopped = true
      forget()
    },
  }
}

async function noteIfDue(friend: FriendName, to: string, options: NotesOptions): Promise<void> {
  const { stateFolder, queue, spool, name, clock, log } = options
  const file = join(stateFolder, "notes", `${friend}.json`)
  const now = clock.now()
  const last = await readIfThere(file)
  if (last !== undefined && now < lastIn(last) + DAY_MS) return
  const note = await queue.note(friend)
  if (!note) return
  const id = await keepOwnMail(spool, { as: OWN_MAIL, name, at: now }, (draft) =>
    plainly(mail(note, { id: draft, to, name, at: now }), [to]),
  )
  await replaceDurably(file, JSON.stringify({ at: now }), 0o600)
  options.kept()
  log.info("friend told", { friend, note: id })
}

function lastIn(text: string): Instant {
  return (JSON.parse(text) as { readonly at: Instant }).at // written by us, whole or not at all
}

type About = { readonly id: MessageId; readonly to: string; readonly name: Hostname; readonly at: Instant }

function mail({ subject, lines }: WaitingNote, { id, to, name, at }: About): Buffer {
  const fields = [
    `Date: ${dateTime(at)}`,
    `From: "Mail relay ${name}" <MAILER-DAEMON@${name}>`,
    `To: <${to}>`,
    `Subject: ${subject}`,
    `Message-ID: <${id}@${name}>`,
    "Auto-Submitted: auto-generated", // RFC 3834 §5: nobody asked for this one
    "MIME-Version: 1.0",
  ]
  const text = Buffer.from(lines.map((line) => `${line}\r\n`).join(""))
  return Buffer.from(`${fields.join("\r\n")}\r\n${mimePart("text/plain; charset=utf-8", text)}\r\n`)
}
