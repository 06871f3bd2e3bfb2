/** One end of a connection as a test plays it: visitor or backend. It keeps what it heard and how it ended. */
import type { Socket } from "node:net"
import { eventually } from "./eventually.ts"

export class Peer {
  readonly socket: Socket
  readonly #heard: Buffer[] = []
  /** The other side has sent FIN. */
  finished = false
  closed = false
  /** The code of the error it ended with, if any: `ECONNRESET` after RST. */
  error: string | undefined

  constructor(socket: Socket) {
    this.socket = socket
    socket.on("data", (bytes: Buffer) => void this.#heard.push(bytes))
    socket.on("end", () => (this.finished = true))
    socket.on("close", () => (this.closed = true))
    socket.on("error", (error: NodeJS.ErrnoException) => (this.error = error.code ?? error.message))
  }

  get heard(): Buffer {
    return Buffer.concat(this.#heard)
  }

  get heardText(): string {
    return this.heard.toString("latin1")
  }

  say(bytes: string | Uint8Array): void {
    this.socket.write(bytes)
  }

  /** Sends FIN, after `bytes` if there are any, and still listens. */
  finish(bytes: string | Uint8Array = ""): void {
    this.socket.end(bytes)
  }

  reset(): void {
    this.socket.resetAndDestroy()
  }

  hears(text: string): Promise<true> {
    return eventually(
      `hears ${JSON.stringify(text)}, heard ${JSON.stringify(this.heardText)}`,
      () => this.heardText === text,
    )
  }

  hearsEnd(): Promise<true> {
    return eventually("hears the end", () => this.finished)
  }

  isClosed(): Promise<true> {
    return eventually("is closed", () => this.closed)
  }
}
