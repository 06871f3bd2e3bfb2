/** A home: Alice's box with her own key, or Dave's. It serves web and mail on an address of its own, and may be away. */
import { once } from "node:events"
import { createServer as createWebServer, type RequestListener } from "node:http"
import { createServer as createSecureWebServer } from "node:https"
import { createServer, type AddressInfo, type Server, type Socket } from "node:net"
import { Readable } from "node:stream"
import { text } from "node:stream/consumers"
import { pipeline } from "node:stream/promises"
import { SMTPServer, type SMTPServerSession } from "smtp-server"
import { eventually } from "../../support/eventually.ts"
import { keyPair, type KeyPair } from "../../support/key-pair.ts"
import { at } from "../../support/loopback.ts"
import { nextHop } from "../../support/next-hop.ts"
import type { Bob } from "./bob.ts"
import { BoxProgram, type Joins } from "./box-program.ts"
import { BOBS, ERINS } from "./configuration.ts"
import type { Person } from "./ladder.ts"
import type { Service } from "./directory.ts"
import { mailboxServer } from "./mailbox.ts"
import type { Story } from "./story.ts"

/** What came, and on which way: sealed for us to the end, or not; from a relay itself, or past it. */
type Letter = {
  readonly text: string
  readonly sealed: boolean
  readonly from?: Person | undefined
  /** Mail: the address that handed it in. */
  readonly calledFrom?: string
}

/** Who took a box's place, until that is over. */
export type Impostor = AsyncDisposable & {
  got(what: string): Promise<void>
  gotNothing(): Promise<void>
}

export class Box implements AsyncDisposable {
  readonly person: Person
  readonly domain: string
  readonly address: string
  readonly own: KeyPair
  readonly #story: Story
  readonly #ports = new Map<Service, number>()
  readonly #letters: Letter[] = []
  readonly #sockets = new Set<Socket>()
  #servers: Server[] = []
  readonly #offered = new Map<string, Buffer>()
  #page = "Hello!"
  #people: readonly string[] | undefined
  #program: BoxProgram | undefined

  /** Opens all services on the address. */
  static async open(person: Person, address: string, story: Story): Promise<Box> {
    const domain = `${person.toLowerCase()}.example`
    const box = new Box(person, { domain, address, own: await keyPair(domain), story })
    await box.#serve()
    return box
  }

  private constructor(person: Person, about: { domain: string; address: string; own: KeyPair; story: Story }) {
    this.person = person
    this.domain = about.domain
    this.address = about.address
    this.own = about.own
    this.#story = about.story
  }

  portOf(service: Service): number {
    return this.#ports.get(service) ?? 0
  }

  /** What her web server shows to everybody who asks. */
  shows(page: string): void {
    this.#page = page
  }

  /** Something big on her web server, under this path. */
  offers(path: string, content: Buffer): void {
    this.#offered.set(path, content)
  }

  /** From here on her mail server refuses everybody else. */
  knowsOnly(...people: readonly string[]): void {
    this.#people = people
    this.#story.happens(`${this.person}'s mail server knows only ${people.join(" and ")}`)
  }

  /** Waits until something has come that contains the text, and says which way it came. */
  async received(what: string): Promise<void> {
    const letter = await eventually(`${this.person} has "${what}"`, () =>
      this.#letters.find(({ text }) => text.includes(what)),
    )
    if (letter.from) this.#story.says(letter.from, this.person, `"${what}"`, letter.sealed ? this.person : undefined)
    this.#story.found(this.person, `has "${what}"`)
  }

  /** The address from which a mail has come that contains the text. */
  async cameFrom(what: string): Promise<string> {
    const letter = await eventually(`${this.person} has "${what}"`, () =>
      this.#letters.find(({ text }) => text.includes(what)),
    )
    return letter.calledFrom ?? ""
  }

  /** How many things have come that contain the text. */
  countOf(what: string): number {
    return this.#letters.filter((letter) => letter.text.includes(what)).length
  }

  /** Nothing answers any more. */
  async goesAway(): Promise<void> {
    await this.#close()
    this.#story.happens(`${this.person}'s box is switched off`)
  }

  /** Somebody on the way answers at this box's address, with a certificate for its name and a key of his own. */
  async isReplacedBy(impostor: Person): Promise<Impostor> {
    await this.#close()
    const hop = await nextHop({ tls: await keyPair(this.domain) }, this.portOf("smtp"), this.address)
    this.#story.happens(`${impostor} answers at ${this.person}'s address, with a key of ${impostor}'s own`)
    const has = (what: string): boolean => hop.messages.some(({ content }) => content.includes(what))
    return {
      got: async (what) => {
        await eventually(`${impostor} has "${what}"`, () => has(what))
        this.#story.says("Bob", impostor, `"${what}"`, impostor)
        this.#story.found(impostor, `has "${what}"`)
      },
      gotNothing: async () => {
        await eventually(`${impostor} was called`, () => hop.sessions.length > 0)
        if (hop.messages.length > 0) throw new Error(`${impostor} got mail`)
        this.#story.found(impostor, "was called, and got nothing")
      },
      [Symbol.asyncDispose]: () => hop[Symbol.asyncDispose](),
    }
  }

  async comesBack(): Promise<void> {
    await this.#serve()
    this.#story.happens(`${this.person}'s box is back`)
  }

  /** The program at this home, which is there from the first joining on. */
  get program(): BoxProgram {
    if (!this.#program) throw new Error(`${this.person}'s box has joined nobody`)
    return this.#program
  }

  /** Whom relays are to seal kept mail to: her program makes the key, and `waypost join` prints this. */
  async recipient(): Promise<string> {
    return (await this.#opened()).recipient()
  }

  /** Joins a relay with a line of its operator's, and stays attached to it; resolves when the tunnel is up. */
  async joins(relay: Bob, how: Joins = {}): Promise<void> {
    const line = how.line ?? (await relay.invites(this))
    await (await this.#opened()).joins(line, relay.place.person, how)
  }

  /** As `joins`, where she must not get in; resolves to what she is told. */
  async isRefused(operator: Person, line: string): Promise<string> {
    return (await this.#opened()).isRefused(line, operator)
  }

  async #opened(): Promise<BoxProgram> {
    this.#program ??= await BoxProgram.open(this.person, (name) => at(this.address, this.portOf(name)), this.#story)
    return this.#program
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#program?.[Symbol.asyncDispose]()
    await this.#close()
  }

  async #serve(): Promise<void> {
    await this.#listen("https", createSecureWebServer(this.own, this.#web(true)))
    await this.#listen("http", createWebServer(this.#web(false)))
    const mail = this.#mail()
    await this.#listen(
      "smtp",
      createServer((socket) => mail.connect(socket)),
    )
    await this.#listen(
      "imap",
      mailboxServer(this.own, (password, sealed) => void this.#letters.push({ text: password, sealed })),
    )
    await this.#listen(
      "tcp",
      createServer({ allowHalfOpen: true }, (socket) => void this.#takeLine(socket)),
    )
  }

  /** On the same port as before, if there was a before: DNS does not change when a box is switched off. */
  async #listen(service: Service, server: Server): Promise<void> {
    server.listen(this.portOf(service), this.address)
    await once(server, "listening")
    this.#ports.set(service, (server.address() as AddressInfo).port) // it listens on TCP
    this.#servers.push(server)
    server.on("connection", (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once("close", () => this.#sockets.delete(socket)).on("error", () => {}) // `close` follows
    })
  }

  async #close(): Promise<void> {
    const closed = this.#servers.map((server) => once(server, "close"))
    for (const server of this.#servers) server.close()
    for (const socket of this.#sockets) socket.destroy()
    this.#servers = []
    await Promise.all(closed)
  }

  #web(sealed: boolean): RequestListener {
    return (request, response) => {
      void text(request).then((body) => {
        const from = request.headers.via?.includes("relay.bob.example") ? "Bob" : undefined
        this.#letters.push({ text: `${request.method} ${request.url}\n${body}`, sealed, from })
        const offered = this.#offered.get(request.url ?? "")
        if (offered)
          pipeline(Readable.from(piecesOf(offered)), response).catch(() => {}) // they hung up
        else response.end(`${this.#page}\n`)
      })
    }
  }

  #mail(): SMTPServer {
    return new SMTPServer({
      ...this.own,
      name: this.domain,
      banner: this.domain,
      authOptional: true,
      disabledCommands: ["AUTH"],
      disableReverseLookup: true,
      logger: false,
      onRcptTo: ({ address }, _session, done) => done(this.#unknown(address)),
      onData: (content: Readable, session, done) => void this.#takeMail(content, session, done),
    }).on("error", () => {}) // a visitor who hangs up in the middle is no event
  }

  #unknown(address: string): Error | undefined {
    const known = this.#people?.includes(address.slice(0, address.indexOf("@"))) ?? true
    return known ? undefined : Object.assign(new Error("5.1.1 Nobody of that name lives here"), { responseCode: 550 })
  }

  /** Whatever is said to her own port, in no protocol at all. */
  async #takeLine(socket: Socket): Promise<void> {
    this.#letters.push({ text: await text(socket), sealed: false })
    socket.end("heard\n")
  }

  async #takeMail(content: Readable, session: SMTPServerSession, done: () => void): Promise<void> {
    const from = [BOBS, ERINS].find(({ name }) => name === session.hostNameAppearsAs)?.person
    this.#letters.push({ text: await text(content), sealed: session.secure, from, calledFrom: session.remoteAddress })
    done()
  }
}

const PIECE_BYTES = 64 * 1024

/** So that no more of it is read than goes out. */
function* piecesOf(content: Buffer): Generator<Buffer> {
  for (let from = 0; from < content.length; from += PIECE_BYTES) yield content.subarray(from, from + PIECE_BYTES)
}
