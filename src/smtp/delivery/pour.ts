/**
 * Content on its way into nodemailer, as fast as the next hop takes it. Of a message that it is to send nodemailer asks no
 * more than `pipe` and `destroy`; a stream in between would cost a small message more than its own bytes do.
 */
import type { Writable } from "node:stream"
import { OnTheWay, type Passed } from "./on-the-way.ts"

export type Poured = {
  /** The next piece goes out now. */
  readonly piece: () => void
  /** How far content has come. */
  readonly passed: () => Passed
  /** Nobody reads this piece any more. Not told of those that were still on their way when the last was taken. */
  readonly spent: (piece: Uint8Array) => void
  /** All of it is out. */
  readonly end: () => void
  /** It could not be read. */
  readonly failed: (why: unknown) => void
}

export class Pour {
  readonly #content: AsyncIterable<Uint8Array>
  readonly #told: Poured
  readonly #onTheWay: OnTheWay
  #stopped = false
  #taken: () => void = () => {}

  constructor(content: AsyncIterable<Uint8Array>, told: Poured) {
    this.#content = content
    this.#told = told
    this.#onTheWay = new OnTheWay(told.passed, told.spent)
  }

  pipe(stream: Writable): void {
    this.#pour(stream).catch(this.#told.failed)
  }

  /** Nothing more is wanted. */
  destroy(): void {
    this.#stopped = true
    this.#taken()
  }

  async #pour(stream: Writable): Promise<void> {
    for await (const piece of this.#content) {
      if (this.#stopped) return
      this.#told.piece()
      await new Promise<void>((taken) => {
        this.#taken = taken
        stream.write(piece, (error) => {
          if (error) this.#stopped = true // the connection's own end tells
          taken()
        })
      })
      if (!this.#stopped) this.#onTheWay.follow(piece)
    }
    if (this.#stopped) return
    this.#told.end()
    stream.end()
  }
}
