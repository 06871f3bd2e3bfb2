/** Lists of recipients that friends push as files beside the configuration: read when they are asked for, and again when they change. */
import { readFileSync, statSync } from "node:fs"
import type { Clock, Instant } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import { HASHED_RECIPIENTS_MAX, HashedRecipients } from "../../route/hashed-recipients.ts"

/** Ours: how soon a new file is noticed. */
export const LOOK_AGAIN_MS = 5_000
/** A line for each, and the head. */
const FILE_BYTES_MAX = 65 * (HASHED_RECIPIENTS_MAX + 10)

type Read = {
  readonly lookedAt: Instant
  readonly stamp: string
  readonly list: HashedRecipients | undefined
}

export class RecipientLists {
  readonly #clock: Clock
  readonly #log: Log
  readonly #read = new Map<string, Read>()

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  /** `undefined`: there is no list there that can be read; then nobody knows who is a recipient. */
  of(file: string): HashedRecipients | undefined {
    const before = this.#read.get(file)
    const now = this.#clock.now()
    if (before && now < before.lookedAt + LOOK_AGAIN_MS) return before.list
    const { stamp, list } = this.#look(file, before)
    this.#read.set(file, { lookedAt: now, stamp, list })
    return list
  }

  #look(file: string, before: Read | undefined): Pick<Read, "stamp" | "list"> {
    try {
      const { mtimeMs, size, ino } = statSync(file)
      const stamp = `${ino} ${mtimeMs} ${size}`
      if (stamp === before?.stamp) return before
      const list = size > FILE_BYTES_MAX ? undefined : HashedRecipients.read(readFileSync(file, "utf8"))
      if (list) this.#log.info("recipients-read", { file })
      else this.#log.error("recipients-unreadable", { file, why: "not as `waypost recipients` writes it" })
      // A list that is being written is read again; until it is whole, the last one holds.
      return { stamp, list: list ?? before?.list }
    } catch (error) {
      const stamp = String(error)
      if (stamp !== before?.stamp) this.#log.error("recipients-unreadable", { file, why: stamp })
      return { stamp, list: before?.list }
    }
  }
}
