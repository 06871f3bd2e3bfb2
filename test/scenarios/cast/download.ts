/** Something big that a visitor fetches while other things happen: how much of it has come, and whether it came whole. */
import { createHash, type Hash } from "node:crypto"
import { once } from "node:events"
import type { ClientRequest, IncomingMessage } from "node:http"
import { eventually } from "../../support/eventually.ts"

export class Download implements Disposable {
  /** What it comes in: who has answered, and with which key. */
  readonly response: IncomingMessage
  readonly #hash: Hash = createHash("sha256")
  #heardBytes = 0
  #whole = false
  #over = false

  /** Resolves when the first of it is there. */
  static async begin(request: ClientRequest): Promise<Download> {
    request.end()
    const [response] = (await once(request, "response")) as [IncomingMessage]
    const download = new Download(response)
    await eventually("the download has begun", () => download.heardBytes > 0)
    return download
  }

  private constructor(response: IncomingMessage) {
    this.response = response
    response.on("data", (piece: Buffer) => this.#hear(piece))
    response.once("end", () => (this.#whole = true))
    response.once("close", () => (this.#over = true)).on("error", () => {}) // `close` follows
  }

  get heardBytes(): number {
    return this.#heardBytes
  }

  /** No more of it comes, whole or not. */
  get isOver(): boolean {
    return this.#over
  }

  /** SHA-256 of all of it, once it is there. */
  async digest(): Promise<string> {
    await eventually("the download is whole", () => this.#whole)
    return this.#hash.digest("hex")
  }

  [Symbol.dispose](): void {
    this.response.destroy()
  }

  #hear(piece: Buffer): void {
    this.#hash.update(piece)
    this.#heardBytes += piece.length
  }
}
