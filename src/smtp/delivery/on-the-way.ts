/** Content that was handed on and may still be read by whoever sends it. */

/** Bytes of content as they go out, with what was stuffed: what nodemailer has taken, and what of it has left this process. */
export type Passed = { readonly taken: number; readonly left: number }

export class OnTheWay {
  readonly #passed: () => Passed
  readonly #spent: (piece: Uint8Array) => void
  /** With the byte that each ends before. */
  readonly #pieces: { readonly piece: Uint8Array; readonly end: number }[] = []

  /** `spent` is told of a piece once it has left; not of those that were still on their way when the last was taken. */
  constructor(passed: () => Passed, spent: (piece: Uint8Array) => void) {
    this.#passed = passed
    this.#spent = spent
  }

  /** Follows a piece that was taken and that nobody else reads any more. */
  follow(piece: Uint8Array): void {
    const { taken, left } = this.#passed()
    this.#pieces.push({ piece, end: taken })
    for (let first = this.#pieces[0]; first && first.end <= left; first = this.#pieces[0]) {
      this.#pieces.shift()
      this.#spent(first.piece)
    }
  }
}
