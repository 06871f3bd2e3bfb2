/** One visitor who connects, says a word, hears it again and leaves: what the others cost him is how long it takes. */
import { connect } from "node:net"
import type { SocketAddress } from "../../src/names/endpoint.ts"

/** Resolves with milliseconds, or with `undefined` if he was sent away. */
export function exchange({ address: host, port }: SocketAddress): Promise<number | undefined> {
  return new Promise((resolve) => {
    const began = performance.now()
    const socket = connect({ host, port, noDelay: true })
    socket.on("connect", () => socket.write("hello"))
    socket.once("data", () => {
      resolve(performance.now() - began)
      socket.end()
    })
    socket.on("error", () => {}) // followed by "close"
    socket.on("close", () => resolve(undefined))
  })
}

/** Visitors who hold their places: they say a word, hear it again, and stay. */
export class Staying {
  readonly #sockets = new Set<ReturnType<typeof connect>>()
  served = 0
  sentAway = 0

  come({ address: host, port }: SocketAddress, count: number): void {
    for (let number = 0; number < count; number += 1) {
      const socket = connect({ host, port, noDelay: true })
      this.#sockets.add(socket)
      socket.on("connect", () => socket.write("hello"))
      socket.once("data", () => (this.served += 1))
      socket.on("error", () => {}) // followed by "close"
      socket.on("close", () => {
        if (this.#sockets.delete(socket)) this.sentAway += 1
      })
    }
  }

  get waiting(): number {
    return this.#sockets.size - this.served
  }

  leave(): void {
    const all = [...this.#sockets]
    this.#sockets.clear()
    for (const socket of all) socket.resetAndDestroy()
  }
}
