/**
 * A scripted SMTP server for delivery to run into: it keeps every message byte for byte, and misbehaves where the test
 * says so. It speaks bytes, not a library, so that it can break every rule of RFC 5321.
 */
import { once } from "node:events"
import { createServer, type AddressInfo, type Socket } from "node:net"
import { createSecureContext, TLSSocket } from "node:tls"
import type { KeyPair } from "./key-pair.ts"

/** What the hop does instead of its ordinary answer: a reply (lines joined by CRLF), or `drop`, `reset`, `stall`. */
export type Fault = string

export type NextHopScript = {
  readonly name?: string
  /** The whole greeting, without CRLF. */
  readonly greeting?: Fault
  /** EHLO keywords. `undefined`: PIPELINING, 8BITMIME, SMTPUTF8, DSN, SIZE, ENHANCEDSTATUSCODES. */
  readonly extensions?: readonly string[]
  /** STARTTLS is offered and done with this; `broken`: what comes after 220 is not TLS. */
  readonly tls?: KeyPair | "broken"
  /** Asked for every command line, and with "." for the end of content; `undefined`: the ordinary answer. */
  readonly on?: (command: string, session: HopSession) => Fault | undefined
  /** Done once for each message when this much of its content is there; `pause`: nothing more is read. */
  readonly midContent?: { readonly afterBytes: number; readonly fault: Fault }
  /** Answers arrive one byte at a time. */
  readonly drip?: boolean
}

export type HopSession = { readonly number: number; secure: boolean; transactions: number; commands: string[] }

export type HopMessage = {
  readonly from: string
  readonly mailParameters: string
  readonly to: readonly string[]
  readonly rcptParameters: readonly string[]
  /** As sent, with the dots taken off again. */
  readonly content: Buffer
  readonly secure: boolean
  readonly session: number
}

export type NextHop = AsyncDisposable & {
  readonly port: number
  /** Content whose final dot arrived and was answered with 2xx. */
  readonly messages: HopMessage[]
  readonly sessions: HopSession[]
  /** Connections open at this moment. */
  open(): number
  /** Reads on where it paused. */
  resume(): void
  /** The most connections that were open together. */
  readonly openMost: number
  /** What it does from the next command on. */
  script: NextHopScript
}

const EXTENSIONS = ["PIPELINING", "8BITMIME", "SMTPUTF8", "DSN", "SIZE 52428800", "ENHANCEDSTATUSCODES"]

export async function nextHop(script: NextHopScript = {}, port = 0, address = "127.0.0.1"): Promise<NextHop> {
  const sockets = new Set<Socket>()
  const paused = new Set<Socket>()
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    hop.openMost = Math.max(hop.openMost, sockets.size)
    socket.on("close", () => sockets.delete(socket))
    const session: HopSession = { number: hop.sessions.length, secure: false, transactions: 0, commands: [] }
    hop.sessions.push(session)
    new Conversation(hop, { socket, paused }, session).begin()
  })
  const hop: NextHop & { openMost: number; port: number } = {
    port,
    messages: [],
    sessions: [],
    openMost: 0,
    open: () => sockets.size,
    resume: () => paused.forEach((socket) => socket.resume()),
    script,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, "close")
    },
  }
  server.listen(port, address)
  await once(server, "listening")
  hop.port = (server.address() as AddressInfo).port
  return hop
}

class Conversation {
  readonly #hop: NextHop
  #socket: Socket
  readonly #paused: Set<Socket>
  readonly #session: HopSession
  #received = Buffer.alloc(0)
  #mode: "commands" | "content" | "deaf" = "commands"
  #from: Path | undefined
  #to: Path[] = []
  #told = false

  constructor(hop: NextHop, { socket, paused }: { socket: Socket; paused: Set<Socket> }, session: HopSession) {
    this.#hop = hop
    this.#socket = socket
    this.#paused = paused
    this.#session = session
  }

  begin(): void {
    this.#listen()
    this.#answer(this.#hop.script.greeting ?? `220 ${this.#name} ESMTP`)
  }

  get #name(): string {
    return this.#hop.script.name ?? "mx.dave.example"
  }

  #listen(): void {
    this.#socket.setNoDelay(true)
    this.#socket.on("error", () => {})
    this.#socket.on("end", () => this.#socket.end())
    this.#socket.on("data", (piece: Buffer) => {
      this.#received = Buffer.concat([this.#received, piece])
      this.#read()
    })
  }

  #read(): void {
    while (this.#mode !== "deaf") {
      if (this.#mode === "content") {
        if (!this.#readContent()) return
      } else {
        const end = this.#received.indexOf("\r\n")
        if (end < 0) return
        const line = this.#received.subarray(0, end).toString()
        this.#received = this.#received.subarray(end + 2)
        this.#session.commands.push(line)
        this.#command(line)
      }
    }
  }

  #command(line: string): void {
    const instead = this.#hop.script.on?.(line, this.#session)
    const verb = line.split(" ", 1)[0]?.toUpperCase() ?? ""
    if (verb === "MAIL" || verb === "RSET") this.#from = undefined
    if (instead !== undefined) return this.#answer(instead)
    if (verb === "EHLO") return this.#answer(this.#ehlo())
    if (verb === "STARTTLS") return this.#startTls()
    if (verb === "MAIL") return this.#mail(line)
    if (verb === "RCPT") return this.#rcpt(line)
    if (verb === "DATA") return this.#data()
    if (verb === "QUIT") {
      this.#answer("221 2.0.0 Bye")
      this.#socket.end()
      return
    }
    this.#answer("250 2.0.0 Ok")
  }

  #ehlo(): string {
    const { extensions = EXTENSIONS, tls } = this.#hop.script
    const offered = [...extensions, ...(tls && !this.#session.secure ? ["STARTTLS"] : [])]
    const lines = [this.#name, ...offered]
    return lines.map((line, index) => `250${index === lines.length - 1 ? " " : "-"}${line}`).join("\r\n")
  }

  #mail(line: string): void {
    this.#from = path(line)
    this.#to = []
    this.#answer("250 2.1.0 Ok")
  }

  #rcpt(line: string): void {
    if (!this.#from) return this.#answer("503 5.5.1 MAIL first")
    this.#to.push(path(line))
    this.#answer("250 2.1.5 Ok")
  }

  #data(): void {
    if (!this.#from || this.#to.length === 0) return this.#answer("503 5.5.1 No valid recipients")
    this.#mode = "content"
    this.#told = false
    this.#answer("354 End data with <CR><LF>.<CR><LF>")
  }

  /** True if something else may follow. */
  #readContent(): boolean {
    const { midContent } = this.#hop.script
    if (midContent && !this.#told && this.#received.length >= midContent.afterBytes) {
      this.#told = true
      if (midContent.fault === "pause") this.#paused.add(this.#socket.pause())
      else this.#answer(midContent.fault)
      if (midContent.fault === "stall") return false
    }
    const empty = this.#received.subarray(0, 3).equals(Buffer.from(".\r\n"))
    const end = empty ? 0 : this.#received.indexOf("\r\n.\r\n") + 2
    if (!empty && end < 2) return false
    const content = withoutDots(this.#received.subarray(0, end))
    this.#received = this.#received.subarray(end + 3)
    this.#mode = "commands"
    const answer = this.#hop.script.on?.(".", this.#session) ?? "250 2.0.0 Ok: queued"
    if (answer.startsWith("2")) this.#keep(content)
    this.#session.transactions += 1
    this.#answer(answer)
    return true
  }

  #keep(content: Buffer): void {
    this.#hop.messages.push({
      from: this.#from?.address ?? "",
      mailParameters: this.#from?.parameters ?? "",
      to: this.#to.map(({ address }) => address),
      rcptParameters: this.#to.map(({ parameters }) => parameters),
      content,
      secure: this.#session.secure,
      session: this.#session.number,
    })
  }

  #startTls(): void {
    const { tls } = this.#hop.script
    if (!tls) return this.#answer("502 5.5.1 Not offered")
    this.#answer("220 2.0.0 Go ahead")
    this.#socket.removeAllListeners("data")
    const plain = this.#socket
    if (tls === "broken") return void plain.once("data", () => plain.write("no TLS here\r\n"))
    this.#socket = new TLSSocket(plain, { isServer: true, secureContext: createSecureContext(tls) })
    this.#session.secure = true
    this.#received = Buffer.alloc(0)
    this.#listen()
  }

  #answer(fault: Fault): void {
    if (fault === "stall") {
      this.#mode = "deaf"
    } else if (fault === "drop") {
      this.#mode = "deaf"
      this.#socket.destroy()
    } else if (fault === "reset") {
      this.#mode = "deaf"
      this.#socket.resetAndDestroy()
    } else if (this.#hop.script.drip) {
      for (const byte of `${fault}\r\n`) this.#socket.write(byte)
    } else {
      this.#socket.write(`${fault}\r\n`)
    }
  }
}

type Path = { readonly address: string; readonly parameters: string }

function path(line: string): Path {
  const parts = /^(?:MAIL FROM|RCPT TO):<(?<address>[^>]*)>\s*(?<parameters>.*)$/i.exec(line)?.groups
  return { address: parts?.["address"] ?? "", parameters: parts?.["parameters"] ?? "" }
}

function withoutDots(content: Buffer): Buffer {
  return Buffer.from(content.toString("latin1").replace(/(^|\r\n)\./g, "$1"), "latin1")
}
