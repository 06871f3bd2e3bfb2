/** People who come one after the other, say hello and want to hear it again: who was served, and who was turned away. */
import { connect } from "node:net"
import { eventually } from "./eventually.ts"

/** Ours: how often somebody comes; a busy machine may do less. */
const VISIT_EVERY_MS = 5

export class Visits {
  served = 0
  /** Why, for each. */
  readonly turnedAway: string[] = []
  #open = 0
  readonly #timer: NodeJS.Timeout

  /** To this port on loopback, from here on. */
  constructor(port: number) {
    this.#timer = setInterval(() => void this.#visit(port), VISIT_EVERY_MS)
  }

  /** Resolves when everybody who came was answered. */
  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await eventually("everybody has an answer", () => this.#open === 0)
  }

  async #visit(port: number): Promise<void> {
    this.#open += 1
    const socket = connect({ port, host: "127.0.0.1" })
    let why = "no answer"
    socket.on("error", (error: NodeJS.ErrnoException) => (why = error.code ?? error.message))
    socket.once("data", () => {
      why = ""
      socket.end()
    })
    socket.write("hello")
    socket.resume()
    await new Promise((resolve) => socket.once("close", resolve))
    this.#open -= 1
    if (why === "") this.served += 1
    else this.turnedAway.push(why)
  }
}
