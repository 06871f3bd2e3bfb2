/** A mail server on a real socket, and a client that speaks SMTP as badly as a test wants it to. */
import { once } from "node:events"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { connect as connectTls, TLSSocket, type ConnectionOptions } from "node:tls"
import { systemClock } from "../../src/clock/clock.ts"
import { silentLog } from "../../src/log/log.ts"
import { hostname, type Hostname } from "../../src/names/hostname.ts"
import { ipAddress, type IpAddress } from "../../src/names/ip-address.ts"
import type { Recipients, Route } from "../../src/route/route.ts"
import { mailServer, type MailServer, type MailServerOptions } from "../../src/smtp/intake/mail-server.ts"
import type { Spool } from "../../src/store/spool.ts"
import { contentOf, temporarySpool } from "./spool.ts"

export type MailHost = AsyncDisposable & { readonly port: number; readonly server: MailServer; readonly spool: Spool }

/** Friends of the tests: dave takes mail for anybody at two domains, alice for those on her list. */
const ROUTES: Readonly<Record<string, Route>> = {
  "dave.example": mailRoute("dave", { kind: "any" }),
  "dave.test": mailRoute("dave", { kind: "any" }),
  "alice.example": mailRoute("alice", { kind: "listed", localParts: new Set(["alice", "jõgeva", "odd+one", "x%y"]) }),
  "xn--jgeva-dua.ee": mailRoute("dave", { kind: "any" }),
}

export function mailRoute(friend: string, recipients: Recipients): Route {
  const to = { kind: "tcp", to: [{ host: "127.0.0.1" as IpAddress, port: 25 }] } as const
  const strangers = { greylist: false, blockLists: [] } as const
  const carry = { mode: "peer", as: "mail", recipients, tls: "opportunistic", cutThrough: true, ...strangers } as const
  return { friend, listener: "smtp", protocol: "smtp", matches: [], carry, to }
}

export type HostOptions = {
  /** Whom every connection is said to come from, as a PROXY header may; its own address if not given. */
  readonly from?: IpAddress
  /** What was said before: the host has read the first bytes that follow, and puts them back. */
  readonly after?: "EHLO" | "STARTTLS"
}

/** Bob's relay, with a spool of its own unless one is given. */
export async function startMailHost(different: Partial<MailServerOptions> & HostOptions = {}): Promise<MailHost> {
  const own = different.spool ? undefined : await temporarySpool()
  const spool = different.spool ?? (own?.spool as Spool)
  const server = mailServer({
    name: hostname("relay.bob.example") as Hostname,
    tls: undefined,
    routeFor: (_listener, domain) => ROUTES[domain],
    limits: { messageBytesMax: 1_000_000 },
    clock: systemClock,
    log: silentLog,
    ...different,
    spool,
  })
  const listener = createServer({ allowHalfOpen: true }, (socket) => {
    const remote = {
      address: different.from ?? (ipAddress(socket.remoteAddress ?? "") as IpAddress),
      port: socket.remotePort ?? 0,
    }
    const local = { address: ipAddress(socket.localAddress ?? "") as IpAddress, port: socket.localPort ?? 0 }
    const { after } = different
    if (!after) return server.accept(socket, { listener: "smtp", remote, local })
    socket.once("data", (first) => {
      socket.pause()
      socket.unshift(first)
      server.accept(socket, { listener: "smtp", remote, local, after })
    })
  }).listen(0, "127.0.0.1")
  await once(listener, "listening")
  return {
    port: (listener.address() as AddressInfo).port,
    server,
    spool,
    async [Symbol.asyncDispose]() {
      listener.close()
      await server.stop()
      await own?.[Symbol.asyncDispose]()
    },
  }
}

/** `await using carol = await SmtpClient.connect(port)`; the greeting was read. */
export class SmtpClient {
  #socket: Socket
  #unread = ""
  #closed = false
  #changed: () => void = () => {}

  static async connect(port: number, address = "127.0.0.1"): Promise<SmtpClient> {
    const client = new SmtpClient(connect(port, address))
    await client.reply()
    return client
  }

  /** As `connect`, and nothing was read yet. */
  static ungreeted(port: number): SmtpClient {
    return new SmtpClient(connect(port, "127.0.0.1"))
  }

  /** As `connect`, and past EHLO. */
  static async greeted(port: number): Promise<SmtpClient> {
    const client = await SmtpClient.connect(port)
    await client.says("EHLO mx.sender.example")
    return client
  }

  constructor(socket: Socket) {
    this.#socket = socket
    this.#listen()
  }

  /** Sends lines, with CRLF behind each, and resolves to the reply to the last one. */
  async says(...lines: readonly string[]): Promise<string> {
    let reply = ""
    for (const line of lines) {
      this.sends(`${line}\r\n`)
      reply = await this.reply()
    }
    return reply
  }

  /** Sends exactly this. */
  sends(bytes: string | Uint8Array): void {
    this.#socket.write(bytes)
  }

  /** One whole reply, its lines joined with LF; `closed` if the server hung up instead. */
  async reply(): Promise<string> {
    for (;;) {
      const whole = /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(this.#unread)?.[0]
      if (whole) {
        this.#unread = this.#unread.slice(whole.length)
        return whole.trimEnd().replaceAll("\r\n", "\n")
      }
      if (this.#closed) return "closed"
      await new Promise<void>((resolve) => (this.#changed = resolve))
    }
  }

  /** Everything that is still said until the server hangs up, reply by reply. */
  async repliesUntilClosed(): Promise<string[]> {
    const replies: string[] = []
    for (let reply = await this.reply(); reply !== "closed"; reply = await this.reply()) replies.push(reply)
    return replies
  }

  /** STARTTLS, and TLS when it is answered. */
  async startTls(options: ConnectionOptions = {}): Promise<void> {
    await this.says("STARTTLS")
    await this.beginTls(options)
  }

  async beginTls(options: ConnectionOptions = {}): Promise<void> {
    this.#socket.removeAllListeners("data")
    this.#socket = connectTls({ socket: this.#socket, rejectUnauthorized: false, ...options })
    await once(this.#socket, "secureConnect")
    this.#listen()
  }

  /** From here on somebody else speaks at this end. */
  becomes(other: Socket): void {
    this.#socket.removeAllListeners("data")
    this.#socket.pipe(other).pipe(this.#socket)
    other.on("error", () => this.#socket.destroy())
    other.on("close", () => this.#socket.destroy())
    this.#socket.on("close", () => other.destroy())
  }

  /** The certificate that the server showed, PEM; `undefined` before TLS. */
  peerCertificate(): string | undefined {
    return this.#socket instanceof TLSSocket ? this.#socket.getPeerX509Certificate()?.toString() : undefined
  }

  /** Will send nothing more, and still listens. */
  finishes(): void {
    this.#socket.end()
  }

  hangsUp(): void {
    this.#socket.destroy()
  }

  [Symbol.dispose](): void {
    this.#socket.destroy()
  }

  #listen(): void {
    this.#socket.on("data", (piece: Buffer) => this.#hear(() => (this.#unread += piece.toString())))
    this.#socket.on("close", () => this.#hear(() => (this.#closed = true)))
    this.#socket.on("error", () => {}) // `close` follows
  }

  #hear(what: () => void): void {
    what()
    this.#changed()
  }
}

/** The only message in the spool, as text; our Received line left out. */
export async function onlyMessage(spool: Spool): Promise<string> {
  const [only, ...more] = await spool.list()
  if (!only || more.length > 0) throw new Error(`${only ? more.length + 1 : 0} messages in the spool`)
  const content = (await contentOf(spool, only.id)).toString("latin1")
  return content.replace(/^Received: .*\r\n(?:\t.*\r\n)*/, "")
}
