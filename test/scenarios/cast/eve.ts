/** Listens on the line: everything that Carol sends towards a name passes her, as it would pass any network in between. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { containsInSomeSpelling } from "../recorder/search.ts"
import { at } from "../../support/loopback.ts"
import type { Directory, Service } from "./directory.ts"
import type { Story } from "./story.ts"

const EVES_ADDRESS = "127.0.4.1"

export class Eve implements AsyncDisposable {
  readonly #directory: Directory
  readonly #story: Story
  readonly #heard: Buffer[] = []
  readonly #servers: Server[] = []
  readonly #sockets = new Set<Socket>()

  constructor(directory: Directory, story: Story) {
    this.#directory = directory
    this.#story = story
  }

  /** From now on whoever looks for the service of that name passes her line. */
  async listensTo(service: Service, name: string): Promise<void> {
    const { address: host, port } = this.#directory.where(service, name)
    const server = createServer((near) => {
      const far = connect({ host, port })
      for (const socket of [near, far]) this.#taps(socket)
      near.pipe(far).pipe(near)
    }).listen(0, EVES_ADDRESS)
    await once(server, "listening")
    this.#servers.push(server)
    this.#directory.names(service, name, at(EVES_ADDRESS, (server.address() as AddressInfo).port)) // it listens on TCP
  }

  saw(what: string): void {
    if (!this.#has(what)) throw new Error(`Eve did not see "${what}"`)
    this.#story.found("Eve", `read "${what}" as it passed`)
  }

  didNotSee(what: string): void {
    if (this.#has(what)) throw new Error(`Eve saw "${what}"`)
    this.#story.found("Eve", `saw ciphertext, not "${what}"`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    for (const server of this.#servers) server.close()
  }

  #taps(socket: Socket): void {
    this.#sockets.add(socket)
    socket.on("data", (piece: Buffer) => this.#heard.push(piece)).on("error", () => {}) // `close` follows
    socket.once("close", () => this.#sockets.delete(socket))
  }

  #has(what: string): boolean {
    return containsInSomeSpelling(Buffer.concat(this.#heard), what)
  }
}
