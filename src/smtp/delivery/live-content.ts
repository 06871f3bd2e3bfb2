/** Content that goes to a next hop while it still arrives: piece by piece, then the dot. */
import type { Writable } from "node:stream"
import { giveBack } from "../../bytes/give-back.ts"
import { OnTheWay, type Passed } from "./on-the-way.ts"
import { readReply, type Reply } from "./reply.ts"

/** Resolves to what `begin` settles with; to nothing when the connection is lost or the time is over. */
export type Within = <Value>(
  deadlineMs: number,
  begin: (settle: (value: Value) => void) => void,
) => Promise<Value | undefined>

export type LiveContentOptions = {
  /** Begins content on the connection and says where replies go. */
  readonly open: (heard: (reply: string) => void) => Writable
  readonly within: Within
  /** Whether the dot has left. */
  readonly isOut: () => boolean
  /** How far content has come. */
  readonly passed: () => Passed
}

export class LiveContent {
  readonly #stream: Writable
  readonly #within: Within
  readonly #isOut: () => boolean
  readonly #onTheWay: OnTheWay
  #early: string | undefined
  #heard: (reply: string) => void = (reply) => void (this.#early ??= reply)

  constructor({ open, within, isOut, passed }: LiveContentOptions) {
    this.#stream = open((reply) => this.#heard(reply))
    this.#stream.on("error", () => {}) // the connection's own end tells
    this.#within = within
    this.#isOut = isOut
    this.#onTheWay = new OnTheWay(passed, giveBack)
  }

  /** What the next hop said before the content was at its end. Nothing more may be sent after it. */
  get early(): Reply | undefined {
    return this.#early === undefined ? undefined : readReply(this.#early)
  }

  /** Resolves when more may be given; false when the next hop does not listen any more, or has said something. */
  async write(piece: Uint8Array, deadlineMs: number): Promise<boolean> {
    if (this.#early !== undefined) return false
    const taken = await this.#within<boolean>(deadlineMs, (settle) => {
      this.#heard = (reply) => {
        this.#early ??= reply
        settle(false)
      }
      this.#stream.write(piece, () => settle(true))
    })
    return taken === true && this.#early === undefined
  }

  /** Nobody else reads this piece any more: if it was taken, its memory goes back once it is out. */
  spent(piece: Uint8Array): void {
    if (this.#early === undefined) this.#onTheWay.follow(piece)
  }

  /** The dot. Resolves to the reply to it; `undefined`: none came, and nobody knows whether the message was taken. */
  async end(deadlineMs: number): Promise<Reply | undefined> {
    const reply = await this.#within<string>(deadlineMs, (settle) => {
      this.#heard = settle
      this.#stream.end()
    })
    // A next hop that thanks for what it has not had cannot have kept it.
    return reply === undefined || !this.#isOut() ? undefined : readReply(reply)
  }
}
