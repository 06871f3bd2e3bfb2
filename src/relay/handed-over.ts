/** The sockets of connections that the relay itself takes part in, whoever has them. */
import type { Socket } from "node:net"

export class HandedOverSockets {
  readonly #open = new Set<Socket>()
  #waiting: (() => void)[] = []

  add(socket: Socket): void {
    this.#open.add(socket)
    socket.once("close", () => {
      this.#open.delete(socket)
      if (this.#open.size > 0) return
      for (const resolve of this.#waiting.splice(0)) resolve()
    })
  }

  /** Resolves when none is open any more. */
  drained(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve()
    return new Promise((resolve) => void this.#waiting.push(resolve))
  }

  /** Whoever has them had time enough: what is still open would keep the process alive. */
  cut(): void {
    for (const socket of this.#open) socket.destroy()
  }
}
