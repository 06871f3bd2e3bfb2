/**
 * Takes the place of the library's parser: the socket is piped into it, commands come out of it one at a time, and
 * content goes where it belongs. The library's own accepts a bare LF behind a command and needs a turn of the event
 * loop for every line that begins with a dot.
 */
import { setImmediate as nextTurn } from "node:timers/promises"
import { SMTPStream } from "smtp-server/lib/smtp-stream.js"
import type { FaultCode } from "../../faults/faults.ts"
import { readCommandLine } from "./command-line.ts"
import type { Taken } from "./incoming-message.ts"

/** Where content goes while a message is coming in. What is consumed whole may be gone afterwards, memory and all. */
export type TakeContent = (bytes: Uint8Array) => Promise<Taken>

/** Ours: pipelined commands before other connections get their turn. */
const COMMANDS_PER_TURN_MAX = 100

const NOTHING = new Uint8Array()

export class CommandStream extends SMTPStream {
  readonly #refuse: (code: FaultCode) => void
  #partLine = Buffer.alloc(0)
  #unreadBytes = 0
  #chunkBytes = 0
  #takeContent: TakeContent | undefined

  /** `refuse` is told when what arrives is no command; it must close the connection. */
  constructor(refuse: (code: FaultCode) => void) {
    super()
    this.#refuse = refuse
  }

  /** What has arrived behind the command that is being worked on. */
  get unreadBytes(): number {
    return this.#unreadBytes + this.writableLength - this.#chunkBytes
  }

  /** Everything behind this command is content, until `takeContent` says that it has ended. */
  receiveContent(takeContent: TakeContent): void {
    this.#takeContent = takeContent
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding | "buffer", goOn: (error?: Error | null) => void): void {
    this.#chunkBytes = chunk.length
    this.#work(chunk).then(() => goOn(), goOn)
  }

  async #work(chunk: Buffer): Promise<void> {
    let unread: Uint8Array = this.#partLine.length > 0 ? Buffer.concat([this.#partLine, chunk]) : chunk
    this.#partLine = Buffer.alloc(0)
    for (let commands = 0; unread.length > 0 && !this.isClosed;) {
      if (this.#takeContent) {
        unread = await this.#content(unread, this.#takeContent)
        continue
      }
      const line = readCommandLine(unread)
      if (line.kind === "refused") return this.#refuse(line.why)
      if (line.kind === "need-more") {
        this.#partLine = Buffer.from(unread) // a copy: the view would keep all of the chunk alive
        return
      }
      unread = unread.subarray(line.consumedBytes)
      this.#unreadBytes = unread.length
      await new Promise<void>((done) => this.oncommand(Buffer.from(line.value), done))
      if (++commands % COMMANDS_PER_TURN_MAX === 0) await nextTurn()
    }
  }

  async #content(unread: Uint8Array, takeContent: TakeContent): Promise<Uint8Array> {
    const unreadBytes = unread.length
    const { consumedBytes, ended } = await takeContent(unread)
    if (ended && this.#takeContent === takeContent) this.#takeContent = undefined
    return consumedBytes === unreadBytes ? NOTHING : unread.subarray(consumedBytes)
  }
}
