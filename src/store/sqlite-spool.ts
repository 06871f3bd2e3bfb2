/**
 * The spool of one relay: a SQLite file in its state folder, on a thread of its own. Calls that wait while the disk is
 * busy go over together and share one transaction and one fsync, so the more is waiting the less each one costs.
 */
import { randomBytes } from "node:crypto"
import type { Instant } from "../clock/clock.ts"
import { FaultError, fault } from "../faults/faults.ts"
import type { Log } from "../log/log.ts"
import type { Piece, SpoolDatabase } from "./spool-database.ts"
import { DatabaseThread } from "./spool-thread.ts"
import type { Draft, Envelope, Except, KeptMessage, MessageId, Outcome, Spool } from "./spool.ts"

export type SpoolOptions = {
  readonly log: Log
  /** What one friend's messages may take together before QUOTA_FULL. */
  readonly perFriendBytesMax: number
  /** How many they may be before the same. No limit unless given. */
  readonly perFriendMessagesMax?: number
  /** Ours if not given: DISK_RESERVE_BYTES. */
  readonly diskReserveBytes?: number
  /** What the file may grow to; as far as the disk goes if not given. */
  readonly fileBytesMax?: number
  /** Whoever has the folder lets go of it then; what is asked of the spool waits meanwhile. At once if not given. */
  readonly free?: Promise<void> | undefined
}

/** Ours: no message is taken when less is left on the disk, so that outcomes can still be recorded and the machine lives. */
export const DISK_RESERVE_BYTES = 64 * 1024 * 1024
/** Ours: one row of content, and what one session holds in memory before it goes over. */
export const CHUNK_BYTES = 64 * 1024
/** Ours: where a draft's buffer starts; most mail fits. */
const FIRST_BUFFER_BYTES = 16 * 1024

/**
 * Opens the spool in a state folder and makes both if there are none. What a crash left unfinished is removed.
 * Rejects with a FaultError STATE_LOCKED (another process has it), STATE_TOO_NEW or SPOOL_FAILED; where it has to wait for the
 * folder, every call does.
 */
export async function openSpool(stateFolder: string, options: SpoolOptions): Promise<Spool> {
  const { log, perFriendBytesMax, perFriendMessagesMax = Infinity } = options
  const { diskReserveBytes = DISK_RESERVE_BYTES, fileBytesMax, free } = options
  const shares = { perFriendBytesMax, perFriendMessagesMax }
  const thread = new DatabaseThread({ folder: stateFolder, ...shares, diskReserveBytes, fileBytesMax }, log, free)
  if (free) thread.opened.catch(endTheProcess)
  else await thread.opened
  return new SqliteSpool(thread)
}

/** Too late for a start that fails: mail is being taken in for a spool that there is not. */
function endTheProcess(error: unknown): void {
  process.nextTick(() => {
    throw error
  })
}

class SqliteSpool implements Spool {
  readonly #thread: DatabaseThread

  constructor(thread: DatabaseThread) {
    this.#thread = thread
  }

  draft(): Draft {
    return new SqliteDraft(this.#thread)
  }

  due(now: Instant, limit: number, except: Except = NOBODY): Promise<readonly KeptMessage[]> {
    return this.#thread.call("due", now, limit, except)
  }

  nextDue(): Promise<Instant | undefined> {
    return this.#thread.call("nextDue")
  }

  find(id: MessageId): Promise<KeptMessage | undefined> {
    return this.#thread.call("find", id)
  }

  /** In pages, so that a long queue does not make mail wait that is coming in. */
  async list(friend?: string): Promise<readonly KeptMessage[]> {
    const messages: KeptMessage[] = []
    for (let after: number | undefined = 0; after !== undefined;) {
      const page: ReturnType<SpoolDatabase["list"]> = await this.#thread.call("list", friend, after)
      messages.push(...page.messages)
      after = page.next
    }
    return messages
  }

  async *content(id: MessageId): AsyncGenerator<Uint8Array> {
    for (let position = 0, chunks = 1; position < chunks; position++) {
      const read = await this.#thread.call("readChunk", id, position)
      if (!read) throw new FaultError(fault("SPOOL_FAILED", `${id} is not in the spool`))
      chunks = read.chunks
      yield read.bytes
    }
  }

  async header(id: MessageId, bytesMax: number): Promise<Uint8Array> {
    let read = Buffer.alloc(0)
    for await (const piece of this.content(id)) {
      read = Buffer.concat([read, piece])
      const end = read.subarray(0, 2).equals(CRLF) ? -2 : read.indexOf("\r\n\r\n")
      if (end >= -2 && end !== -1) return wholeLines(read.subarray(0, end + 2), bytesMax)
      if (read.length >= bytesMax) break
    }
    return wholeLines(read, bytesMax)
  }

  record(id: MessageId, outcomes: readonly Outcome[]): Promise<void> {
    return this.#thread.call("record", id, outcomes)
  }

  wake(friend: string, now: Instant): Promise<number> {
    return this.#thread.call("wake", friend, now)
  }

  hurry(id: MessageId, now: Instant): Promise<number> {
    return this.#thread.call("hurry", id, now)
  }

  hold(id: MessageId, because: string): Promise<number> {
    return this.#thread.call("hold", id, because)
  }

  release(id: MessageId, now: Instant): Promise<number> {
    return this.#thread.call("release", id, now)
  }

  redirect(id: MessageId, to: string, now: Instant): Promise<number> {
    return this.#thread.call("redirect", id, to, now)
  }

  remove(id: MessageId): Promise<number> {
    return this.#thread.call("remove", id)
  }

  usage(friend: string): Promise<{ readonly messages: number; readonly bytes: number }> {
    return this.#thread.call("usage", friend)
  }

  oldest(friend: string): Promise<Instant | undefined> {
    return this.#thread.call("oldest", friend)
  }

  close(): Promise<void> {
    return this.#thread.close()
  }
}

const CRLF = Buffer.from("\r\n")

function wholeLines(text: Buffer, bytesMax: number): Buffer {
  if (text.length <= bytesMax) return text
  const end = text.subarray(0, bytesMax).lastIndexOf(CRLF)
  return text.subarray(0, end < 0 ? 0 : end + CRLF.length)
}

/** Content on its way in. Holds one chunk, and one more that is on its way to the disk, whose memory comes back. */
class SqliteDraft implements Draft {
  readonly id = newMessageId()
  readonly #thread: DatabaseThread
  #buffer = NOTHING
  #filledBytes = 0
  #chunks = 0
  #sizeBytes = 0
  #state: "open" | "given" | "forgotten" = "open"
  #lastChunk: Promise<Piece> = Promise.resolve(NOTHING)

  constructor(thread: DatabaseThread) {
    this.#thread = thread
  }

  async write(piece: Uint8Array): Promise<void> {
    for (let at = 0; at < piece.length;) {
      const taken = this.#take(piece.subarray(at))
      at += taken
      if (this.#filledBytes === CHUNK_BYTES) await this.#sendChunk()
    }
  }

  async *content(): AsyncGenerator<Uint8Array> {
    await this.#lastChunk
    for (let position = 0; position < this.#chunks; position++) {
      const bytes = await this.#thread.call("readDraft", this.id, position)
      if (!bytes) throw new FaultError(fault("SPOOL_FAILED", `a part of ${this.id} was not kept`))
      yield bytes
    }
    yield Buffer.from(this.#buffer.subarray(0, this.#filledBytes)) // a copy: a commit hands the memory on
  }

  async commit(envelope: Envelope, top?: Uint8Array): Promise<void> {
    const rest = this.#buffer.subarray(0, this.#filledBytes)
    const sizeBytes = this.#sizeBytes + (top?.length ?? 0)
    const content = { top: top && new Uint8Array(top), chunks: this.#chunks, rest, sizeBytes }
    if (this.#state !== "open") throw new FaultError(fault("SPOOL_FAILED", `${this.id} was ${this.#state} before`))
    this.#state = "given"
    try {
      await Promise.all([this.#lastChunk, this.#thread.call("commit", this.id, envelope, content)])
    } catch (error) {
      await this.#forget()
      throw error
    }
  }

  async discard(): Promise<void> {
    // A commit that is under way may yet succeed, and then the message stays; one that fails forgets by itself.
    if (this.#state !== "open") return
    this.#state = "forgotten"
    this.#buffer = NOTHING
    if (this.#chunks > 0) await this.#forget()
  }

  async #forget(): Promise<void> {
    await this.#thread.call("discard", this.id).catch(() => {}) // then the next start removes it
  }

  #take(piece: Uint8Array): number {
    const taken = piece.subarray(0, CHUNK_BYTES - this.#filledBytes)
    this.#makeRoom(this.#filledBytes + taken.length)
    this.#buffer.set(taken, this.#filledBytes)
    this.#filledBytes += taken.length
    this.#sizeBytes += taken.length
    return taken.length
  }

  #makeRoom(bytes: number): void {
    if (bytes <= this.#buffer.length) return
    const larger = Math.min(CHUNK_BYTES, Math.max(bytes, FIRST_BUFFER_BYTES, 2 * this.#buffer.length))
    const grown = Buffer.allocUnsafeSlow(larger)
    grown.set(this.#buffer.subarray(0, this.#filledBytes))
    this.#buffer = grown
  }

  /** Resolves when the chunk before this one was taken, so that the disk's pace becomes the sender's. */
  async #sendChunk(): Promise<void> {
    const before = this.#lastChunk
    this.#lastChunk = this.#thread.call("addChunk", this.id, this.#chunks, this.#buffer)
    this.#lastChunk.catch(() => {}) // the next write or the commit reports it
    this.#chunks += 1
    this.#buffer = NOTHING
    this.#filledBytes = 0
    this.#buffer = await before
  }
}

const NOTHING: Piece = new Uint8Array()

const NOBODY: Except = { friends: new Set(), messages: new Set() }

/** 80 random bits in lower-case base 32 digits of RFC 4648 §6: 16 characters. */
function newMessageId(): MessageId {
  if (drawnAt === drawn.length) [drawn, drawnAt] = [randomBytes(DRAWN_BYTES), 0]
  const bytes = drawn.subarray(drawnAt, (drawnAt += ID_CHARACTERS))
  let id = ""
  for (const byte of bytes) id += BASE32[byte % BASE32.length]
  return id as MessageId // the only place where an id is made
}

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567"
const ID_CHARACTERS = 16
/** Ours: drawn at once, because every draw costs as much as a write to a socket. */
const DRAWN_BYTES = 256 * ID_CHARACTERS
let drawn = Buffer.alloc(0)
let drawnAt = 0
