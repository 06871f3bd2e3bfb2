/**
 * The spool's SQLite file and what is done to it, one batch of calls at a time. All writes of a batch share one
 * transaction and so one fsync. It blocks, so it lives on a worker thread (spool-worker.ts).
 */
import type { Instant } from "../clock/clock.ts"
import { FaultError, fault, type Fault } from "../faults/faults.ts"
import { unreachable } from "../faults/unreachable.ts"
import type { Envelope, Except, KeptMessage, MessageId, Outcome } from "./spool.ts"
import { attemptColumns, keptMessage, type MessageRow, type RecipientRow } from "./spool-rows.ts"
import { Connection, diskBytes, faultOf, openingFault, prepareFile, type Statements } from "./spool-connection.ts"
import { CHUNKS_MAX } from "./spool-schema.ts"
import { isWrite, WRITES } from "./spool-writes.ts"

export type DatabaseOptions = {
  readonly folder: string
  readonly perFriendBytesMax: number
  readonly perFriendMessagesMax: number
  /** No new content when the file system has less than this left; outcomes are still recorded. */
  readonly diskReserveBytes: number
  /** The file may not grow beyond this. `undefined`: as far as the disk goes. */
  readonly fileBytesMax: number | undefined
}

type Method = keyof typeof WRITES | "due" | "nextDue" | "find" | "list" | "readChunk" | "readDraft" | "usage" | "oldest"
export type Call = { [M in Method]: { readonly method: M; readonly args: Parameters<SpoolDatabase[M]> } }[Method]
/** Content with a buffer of its own, which can be handed to another thread without a copy. */
export type Piece = Uint8Array<ArrayBuffer>
/** What `commit` is given. */
export type NewContent = {
  /** What goes above all that was written. */
  readonly top: Piece | undefined
  readonly chunks: number
  readonly rest: Piece
  readonly sizeBytes: number
}
/** What one call came to. */
export type Answer = { readonly value: unknown } | { readonly fault: Fault }

/** Content that is streaming in. `lost`: a batch that carried a part of it failed. */
type OpenDraft = { readonly number: number; readonly chunks: number; readonly lost: boolean }

export class SpoolDatabase {
  readonly #options: DatabaseOptions
  readonly #file: string
  readonly #drafts = new Map<MessageId, OpenDraft>()
  #connection: Connection | undefined
  #lastNumber = 0
  #room = { bytes: 0, askedAtMs: -Infinity }

  /** Opens or makes the spool. Throws a FaultError STATE_LOCKED, STATE_TOO_NEW or SPOOL_FAILED. */
  constructor(options: DatabaseOptions) {
    this.#options = options
    try {
      this.#file = prepareFile(options.folder)
      this.#connection = new Connection(this.#file, options.fileBytesMax)
      this.#removeOrphans(this.#connection)
    } catch (error) {
      this.#connection?.close()
      throw new FaultError(openingFault(error, options.folder), { cause: error })
    }
  }

  /** Answers every call, in order. What the answers to writes say is durable. Never throws. */
  run(calls: readonly Call[]): Answer[] {
    const answers = new Map<Call, Answer>()
    const writes = calls.filter(isWrite)
    if (writes.length > 0) for (const [call, answer] of this.#write(writes)) answers.set(call, answer)
    return calls.map((call) => answers.get(call) ?? this.#attempt(call))
  }

  /** Gives the bytes back, so that their memory can be used for the next. */
  addChunk(id: MessageId, position: number, bytes: Piece): Piece {
    const { statements } = this.#open()
    this.#needRoom()
    const draft = position === 0 ? this.#begin(id) : this.#drafts.get(id)
    if (!draft || draft.lost || draft.chunks !== position || position >= CHUNKS_MAX) throw incomplete(id)
    if (position === 0) statements.addDraft.run(draft.number)
    statements.addContent.run(draft.number * CHUNKS_MAX + position, bytes)
    this.#drafts.set(id, { ...draft, chunks: position + 1 })
    return bytes
  }

  /** `chunks` were added before; `rest`, if not empty, is the last one. */
  commit(id: MessageId, envelope: Envelope, content: NewContent): void {
    const { statements } = this.#open()
    this.#needRoom()
    this.#needQuota(envelope.friend, content.sizeBytes)
    const draft = content.chunks === 0 ? this.#begin(id) : this.#drafts.get(id)
    if (!draft || draft.lost || draft.chunks !== content.chunks) throw incomplete(id)
    const { number } = draft
    const rest = content.top && content.chunks === 0 ? joined(content.top, content.rest) : content.rest
    if (content.chunks > 0) statements.endDraft.run(number)
    if (content.top && content.chunks > 0) this.#putAbove(number, content.top)
    if (rest.length > 0) statements.addContent.run(number * CHUNKS_MAX + content.chunks, rest)
    const chunks = content.chunks + (rest.length > 0 ? 1 : 0)
    statements.addMessage.run(
      ...messageValues(number, id, envelope),
      content.sizeBytes,
      chunks,
      envelope.sealed ? 1 : 0,
    )
    this.#addRecipients(number, envelope)
    statements.addUsage.run(envelope.friend, content.sizeBytes)
  }

  /** Removes whatever there is of a draft, also what a failed commit may have left in the file. */
  discard(id: MessageId): void {
    const draft = this.#drafts.get(id)
    if (draft) this.#remove(draft.number)
  }

  record(id: MessageId, outcomes: readonly Outcome[]): void {
    const { statements } = this.#open()
    const number = this.#numberOf(id)
    if (number === undefined) return
    if (this.#endsAll(number, outcomes)) return this.#remove(number)
    for (const { recipient, attempt } of outcomes) {
      const to = attemptColumns(attempt)
      const values = [to.state, to.due_at, to.tries, to.because, to.how, to.done_at, to.last_reply]
      statements.setAttempt.run(...values, number, recipient)
    }
  }

  wake(friend: string, now: Instant): number {
    return Number(this.#open().statements.wake.run(now, friend, now).changes)
  }

  hurry(id: MessageId, now: Instant): number {
    return this.#change("hurry", id, Math.ceil(now))
  }

  hold(id: MessageId, because: string): number {
    return this.#change("hold", id, because)
  }

  release(id: MessageId, now: Instant): number {
    return this.#change("release", id, Math.ceil(now))
  }

  /** The first open recipient becomes the new one, and stands for the others. */
  redirect(id: MessageId, to: string, now: Instant): number {
    const { statements } = this.#open()
    const number = this.#numberOf(id)
    const open = number === undefined ? [] : (statements.openRecipients.all(number) as OpenRecipient[])
    const [first] = open
    if (number === undefined || !first) return 0
    statements.standIn.run(number, first.position, Math.ceil(now))
    statements.redirect.run(number, first.position, to, first.orcpt ?? orcptOf(first.address), Math.ceil(now))
    return open.length
  }

  remove(id: MessageId): number {
    const number = this.#numberOf(id)
    if (number === undefined) return 0
    const recipients = Number(this.#open().statements.countUnfinished.get(number)?.["recipients"])
    this.#remove(number)
    return recipients
  }

  due(now: Instant, limit: number, { friends: resting, messages: known }: Except): KeptMessage[] {
    const { statements } = this.#open()
    const friends = this.#friends().filter((friend) => !resting.has(friend))
    const waiting = friends.flatMap((friend) => oldestDue(statements, { friend, now, limit, known }))
    const oldestFirst = waiting.toSorted((a, b) => a.dueAt - b.dueAt).slice(0, limit)
    return oldestFirst.flatMap(({ number }) => this.#message(statements.messageByNumber.get(number)) ?? [])
  }

  nextDue(): Instant | undefined {
    const { statements } = this.#open()
    const firsts = this.#friends().map((friend) => statements.firstDue.get(friend)?.["due_at"])
    const instants = firsts.filter((first) => typeof first === "number")
    return instants.length > 0 ? Math.min(...instants) : undefined
  }

  find(id: MessageId): KeptMessage | undefined {
    return this.#message(this.#open().statements.messageById.get(id))
  }

  /** One page of the messages, in the order in which they came, and where the next page begins. */
  list(friend: string | undefined, after: number): { messages: KeptMessage[]; next: number | undefined } {
    const { statements } = this.#open()
    const { all, of } = statements.messagesAfter
    const rows = friend === undefined ? all.all(after, PAGE_MESSAGES) : of.all(after, friend, PAGE_MESSAGES)
    const messages = rows.flatMap((row) => this.#message(row) ?? [])
    const last = rows.length === PAGE_MESSAGES ? rows.at(-1) : undefined
    return { messages, next: last && Number(last["number"]) }
  }

  /** One piece of content and how many there are; `undefined` if the message is gone. */
  readChunk(id: MessageId, position: number): { bytes: Piece; chunks: number } | undefined {
    const { statements } = this.#open()
    const message = statements.messageById.get(id) as MessageRow | undefined
    if (!message) return undefined
    if (message.chunks === 0) return { bytes: new Uint8Array(), chunks: 0 }
    const bytes = this.#chunk(message.number, position)
    return bytes && { bytes, chunks: message.chunks }
  }

  /** One piece of a draft; `undefined` if it was not kept. */
  readDraft(id: MessageId, position: number): Piece | undefined {
    const draft = this.#drafts.get(id)
    return draft && !draft.lost ? this.#chunk(draft.number, position) : undefined
  }

  usage(friend: string): { messages: number; bytes: number } {
    const row = this.#open().statements.usage.get(friend)
    return { messages: Number(row?.["messages"] ?? 0), bytes: Number(row?.["bytes"] ?? 0) }
  }

  /** Asked only where there is something, so that the search ends at the first. */
  oldest(friend: string): Instant | undefined {
    if (this.usage(friend).messages === 0) return undefined
    return Number(this.#open().statements.oldest.get(friend)?.["received_at"])
  }

  close(): void {
    this.#connection?.close()
    this.#connection = undefined
  }

  #write(calls: readonly Call[]): Map<Call, Answer> {
    try {
      const connection = this.#open()
      connection.begin(calls.some((call) => WRITES[call.method as keyof typeof WRITES] === "durable"))
      const answers = new Map(calls.map((call) => [call, this.#attempt(call, "in a transaction")]))
      connection.commit()
      for (const call of calls) if (isEnd(call, answers.get(call))) this.#drafts.delete(call.args[0])
      return answers
    } catch (error) {
      return this.#failed(calls, faultOf(error))
    }
  }

  /**
   * Nothing of the batch is kept. After a failed write or fsync the kernel may have dropped the pages and call them
   * clean, so that writing on behind them would be lost with them (the "fsyncgate" of 2018): the file is opened anew.
   */
  #failed(calls: readonly Call[], why: Fault): Map<Call, Answer> {
    for (const call of calls) this.#markLost(call)
    const failed = new Map<Call, Answer>(calls.map((call) => [call, { fault: why }]))
    if (why.code === "SPOOL_FULL") this.#connection?.rollback()
    else this.close()
    // A full spool takes no content, but outcomes and discards go on: they are what empties it.
    const others = calls.filter((call) => !bringsContent(call))
    const retry = why.code === "SPOOL_FULL" && others.length < calls.length ? this.#write(others) : new Map()
    return new Map([...failed, ...retry])
  }

  #markLost(call: Call): void {
    if (!bringsContent(call)) return
    const draft = this.#drafts.get(call.args[0])
    if (draft) this.#drafts.set(call.args[0], { ...draft, lost: true })
  }

  /** A fault of ours concerns one call. What SQLite throws concerns everything in the same transaction. */
  #attempt(call: Call, where?: "in a transaction"): Answer {
    try {
      return { value: this.#dispatch(call) }
    } catch (error) {
      if (where && !(error instanceof FaultError)) throw error
      return { fault: faultOf(error) }
    }
  }

  #dispatch(call: Call): unknown {
    switch (call.method) {
      case "addChunk":
        return this.addChunk(...call.args)
      case "commit":
        return this.commit(...call.args)
      case "discard":
        return this.discard(...call.args)
      case "record":
        return this.record(...call.args)
      case "wake":
        return this.wake(...call.args)
      case "hurry":
        return this.hurry(...call.args)
      case "hold":
        return this.hold(...call.args)
      case "release":
        return this.release(...call.args)
      case "redirect":
        return this.redirect(...call.args)
      case "remove":
        return this.remove(...call.args)
      case "due":
        return this.due(...call.args)
      case "nextDue":
        return this.nextDue()
      case "find":
        return this.find(...call.args)
      case "list":
        return this.list(...call.args)
      case "readChunk":
        return this.readChunk(...call.args)
      case "readDraft":
        return this.readDraft(...call.args)
      case "usage":
        return this.usage(...call.args)
      case "oldest":
        return this.oldest(...call.args)
      default:
        return unreachable(call)
    }
  }

  #open(): Connection {
    this.#connection ??= new Connection(this.#file, this.#options.fileBytesMax)
    return this.#connection
  }

  #numberOf(id: MessageId): number | undefined {
    const number = this.#open().statements.numberOf.get(id)?.["number"]
    return typeof number === "number" ? number : undefined
  }

  /** Nobody is left for whom the message is here: what came of each need not be written down before it goes. */
  #endsAll(number: number, outcomes: readonly Outcome[]): boolean {
    const done = new Set(outcomes.flatMap(({ recipient, attempt }) => (attempt.at === "done" ? [recipient] : [])))
    const open = this.#open().statements.openRecipients.all(number) as OpenRecipient[]
    return open.every(({ address }) => done.has(address))
  }

  /** Returns how many recipients it changed. */
  #change(how: "hurry" | "hold" | "release", id: MessageId, to: Instant | string): number {
    const number = this.#numberOf(id)
    return number === undefined ? 0 : Number(this.#open().statements[how].run(number, to).changes)
  }

  #begin(id: MessageId): OpenDraft {
    const draft = { number: ++this.#lastNumber, chunks: 0, lost: false }
    this.#drafts.set(id, draft)
    return draft
  }

  #chunk(number: number, position: number): Piece | undefined {
    const bytes = this.#open().statements.content.get(number * CHUNKS_MAX + position)?.["bytes"]
    return bytes as Piece | undefined // the column is a BLOB NOT NULL
  }

  #putAbove(number: number, top: Piece): void {
    const first = this.#chunk(number, 0) ?? new Uint8Array()
    this.#open().statements.setContent.run(joined(top, first), number * CHUNKS_MAX)
  }

  #addRecipients(number: number, envelope: Envelope): void {
    const { friend, receivedAt } = envelope
    const { addRecipient } = this.#open().statements
    envelope.recipients.forEach(({ address, notify, orcpt }, position) => {
      addRecipient.run(number, position, friend, address, notify?.join() ?? null, orcpt ?? null, Math.ceil(receivedAt))
    })
  }

  #remove(number: number): void {
    const { statements } = this.#open()
    const message = statements.messageByNumber.get(number) as MessageRow | undefined
    if (message) statements.subtractUsage.run(message.size_bytes, message.friend)
    statements.removeMessage.run(number)
    statements.removeRecipients.run(number)
    statements.removeContent.run(number * CHUNKS_MAX, (number + 1) * CHUNKS_MAX)
    statements.endDraft.run(number)
  }

  #removeOrphans(connection: Connection): void {
    connection.begin(true)
    for (const { number } of connection.statements.drafts.all()) this.#remove(Number(number))
    connection.commit()
    this.#lastNumber = Number(connection.statements.lastNumber.get()?.["number"] ?? 0)
  }

  #needQuota(friend: string, moreBytes: number): void {
    const { perFriendBytesMax, perFriendMessagesMax } = this.#options
    const { bytes, messages } = this.usage(friend)
    if (bytes + moreBytes > perFriendBytesMax)
      throw new FaultError(fault("QUOTA_FULL", `${friend} has ${bytes} of ${perFriendBytesMax} bytes`))
    if (messages >= perFriendMessagesMax)
      throw new FaultError(fault("QUOTA_FULL", `${friend} has ${messages} of ${perFriendMessagesMax} messages`))
  }

  #needRoom(): void {
    const nowMs = performance.now()
    if (nowMs - this.#room.askedAtMs > ROOM_ASKED_EVERY_MS) {
      this.#room = { bytes: diskBytes(this.#options.folder) + this.#open().freeBytes(), askedAtMs: nowMs }
    }
    if (this.#room.bytes >= this.#options.diskReserveBytes) return
    throw new FaultError(fault("SPOOL_FULL", `${this.#room.bytes} bytes are left on the disk`))
  }

  #friends(): string[] {
    return this.#open()
      .statements.friends.all()
      .map((row) => String(row["name"]))
  }

  #message(row: unknown): KeptMessage | undefined {
    if (!row) return undefined
    const message = row as MessageRow
    return keptMessage(message, this.#open().statements.recipients.all(message.number) as RecipientRow[])
  }
}

type OpenRecipient = { readonly position: number; readonly address: string; readonly orcpt: string | null }

/** RFC 3461 §4.2; an address that is not ASCII goes without (RFC 6533 §3 has a form for it that few read). */
function orcptOf(address: string): string | null {
  return /^[ -~]*$/.test(address) ? `rfc822;${address}` : null
}

/** Ours: messages listed before other calls get their turn. */
const PAGE_MESSAGES = 500
/** Ours: how old the answer to "how much room is left" may be. Far less than the reserve is written in this time. */
const ROOM_ASKED_EVERY_MS = 250
/** One friend's messages that are due, oldest attempt first; several recipients of a message count once. */
function oldestDue(
  statements: Statements,
  { friend, now, limit, known }: { friend: string; now: Instant; limit: number; known: ReadonlySet<string> },
): { number: number; dueAt: Instant }[] {
  const found = new Map<number, Instant>()
  for (const row of statements.dueOf.iterate(friend, now)) {
    if (found.size >= limit) break
    if (known.has(String(row["id"]))) continue
    const number = Number(row["number"])
    if (!found.has(number)) found.set(number, Number(row["due_at"]))
  }
  return [...found].map(([number, dueAt]) => ({ number, dueAt }))
}

function messageValues(number: number, id: MessageId, envelope: Envelope) {
  const { friend, from, receivedAt, body, smtputf8, requireTls, ret = null, envid = null, client } = envelope
  const flags = [smtputf8 ? 1 : 0, requireTls ? 1 : 0] as const
  const { address, helo, tls = null } = client
  return [number, id, friend, from, Math.ceil(receivedAt), body, ...flags, ret, envid, address, helo, tls] as const
}

function joined(top: Piece, rest: Piece): Piece {
  return new Uint8Array(Buffer.concat([top, rest]))
}

/** Whether after this call there is nothing of its draft to remember. */
function isEnd(call: Call, answer: Answer | undefined): call is Extract<Call, { method: "commit" | "discard" }> {
  return (call.method === "commit" || call.method === "discard") && answer !== undefined && "value" in answer
}

function bringsContent(call: Call): call is Extract<Call, { method: "addChunk" | "commit" }> {
  return call.method === "addChunk" || call.method === "commit"
}

function incomplete(id: MessageId): FaultError {
  return new FaultError(fault("SPOOL_FAILED", `a part of ${id} was not kept`))
}
