/**
 * nodemailer's SMTP client with what it lacks for a relay: notices and keywords per recipient, extensions read from
 * keywords and not from anywhere in the reply, an ear for its own name, and progress that deadlines can be set by.
 * It reaches into members that are not promised: the version is pinned, and each member has a contract test.
 */
import type { Duplex, Readable, Transform, Writable } from "node:stream"
import { TLSSocket, type ConnectionOptions } from "node:tls"
import SMTPConnection, {
  type SMTPConnectionOptions,
  type SMTPConnectionSendCallback,
  type SMTPEnvelope,
} from "nodemailer/lib/smtp-connection"
import { hostname, type Hostname } from "../../names/hostname.ts"
import type { IpAddress } from "../../names/ip-address.ts"
import type { Passed } from "./on-the-way.ts"
import type { Pour } from "./pour.ts"

type Done = (error: Error | null, result?: unknown) => void

/** What of nodemailer 10.6.0 is used beyond its declared types. test/unit/smtp/delivery/smtp-client.test.ts is the proof. */
interface Inner extends SMTPConnection {
  _actionGreeting(reply: string): void
  _parseEhloExtensions(reply: string): void
  _advanceEnvelope(reply: string, done: Done): void
  _actionDATA(reply: string, done: Done): void
  _getDsnRcptToArgs(): string
  _sendCommand(line: string, logged?: string): void
  _upgradeConnection(done: (error: Error | null, secured?: boolean) => void): void
  _envelope: false | { readonly mailError?: Refused; readonly rejectedErrors?: readonly Refused[] }
  _recipientQueue: readonly string[]
  _supportedExtensions: string[]
  _ehloLines?: readonly string[]
  _currentDataStream: (Transform & { readonly outByteCount: number }) | false
  _responseActions: ((reply: string) => void)[]
  _createSendStream(done: Sent): Transform
}

type Sent = (error: { readonly response?: string } | null, reply?: string) => void
type Refused = { readonly recipient?: string; readonly response?: string }

const Base = SMTPConnection as unknown as new (options: SMTPConnectionOptions) => Inner

export type ClientOptions = {
  /** Connected; the client owns it from here on. */
  readonly socket: Duplex
  /** Our name, for EHLO; a next hop that greets with it is ourselves. */
  readonly name: Hostname
  /** Who is meant to answer: SNI, and what its certificate is checked for. `undefined`: nobody in particular. */
  readonly peerName: Hostname | IpAddress | undefined
  readonly tls: "plain" | "if-offered" | "required"
  readonly tlsOptions: ConnectionOptions
  /** The socket is TLS already. */
  readonly secured?: boolean
  /** Asked once TLS is there, before anything is said over it: what is wrong with whom it is with. */
  readonly unproven?: (socket: TLSSocket) => string | undefined
}

/** What goes beside the envelope that nodemailer knows. */
export type Parameters = {
  /** Added to MAIL FROM. */
  readonly mail: readonly string[]
  /** Added to RCPT TO, by recipient. */
  readonly rcpt: ReadonlyMap<string, readonly string[]>
}

/** Ours: nodemailer's own timers stand behind our deadlines, which follow the clock that is handed in. */
const NEVER_MS = 24 * 3_600_000
/** Ours: no reply that means anything is longer. */
const REPLY_BYTES_MAX = 64 * 1024

/** nodemailer looks for these in its own list before it uses them. */
const USED_BY_NODEMAILER = ["SMTPUTF8", "DSN", "8BITMIME", "REQUIRETLS", "PIPELINING", "SIZE"]

export class SmtpClient extends Base {
  /** EHLO keywords in upper case and what follows them. Empty after HELO. */
  features: ReadonlyMap<string, string> = new Map()
  /** Called for every reply to the envelope. */
  progress = (): void => {}
  parameters: Parameters = { mail: [], rcpt: new Map() }
  /** What the next hop calls itself in its greeting. */
  greeter: Hostname | undefined
  readonly #ownName: Hostname
  readonly #unproven: ClientOptions["unproven"]

  constructor({ socket, name, peerName, tls, tlsOptions, secured = false, unproven }: ClientOptions) {
    super({
      // A stream of a tunnel has all that nodemailer asks of a socket: events, write, cork, end, destroy, setTimeout.
      connection: socket as NonNullable<SMTPConnectionOptions["connection"]>,
      host: peerName ?? "0.0.0.0", // an address is not sent as SNI
      name,
      secure: secured,
      secured,
      ignoreTLS: tls === "plain",
      requireTLS: tls === "required",
      opportunisticTLS: tls === "if-offered",
      tls: tlsOptions,
      connectionTimeout: NEVER_MS,
      greetingTimeout: NEVER_MS,
      socketTimeout: NEVER_MS,
      socketCloseTimeout: 0,
      maxResponseSize: REPLY_BYTES_MAX,
    })
    this.#ownName = name
    this.#unproven = unproven
  }

  /**
   * Says a command after which the session begins anew, as XCLIENT does: 220, then EHLO, as whoever we speak for. Tells what it was refused
   * with, `undefined` if it was not; nothing when the connection ends (`error` and `end` do).
   */
  restart(command: string, name: string, done: (refusal: string | undefined) => void): void {
    this._responseActions.push((reply: string) => {
      if (!reply.startsWith("220")) return done(reply)
      this._responseActions.push((again: string) => {
        if (!again.startsWith("2")) return done(again)
        this._parseEhloExtensions(again)
        done(undefined)
      })
      this._sendCommand(`EHLO ${name}`)
    })
    this._sendCommand(command)
  }

  /** What MAIL was refused with in the running or last transaction; `undefined` if it was not. */
  get mailRefusal(): string | undefined {
    return this._envelope ? this._envelope.mailError?.response : undefined
  }

  /**
   * What each recipient was refused with. Nothing when MAIL was refused: the "503 MAIL first" that a pipelined RCPT
   * then earns is about the order of commands and would pass for a permanent refusal.
   */
  refusals(): ReadonlyMap<string, string> {
    if (!this._envelope || this._envelope.mailError) return new Map()
    const errors = this._envelope.rejectedErrors ?? []
    return new Map(errors.map(({ recipient = "", response = "" }) => [recipient, response]))
  }

  /** Content has begun and has not gone out to its end: nothing but closing is possible. */
  get amidContent(): boolean {
    return this._currentDataStream !== false
  }

  /** How far the running content has come. What has left is in the system's hands: no memory of ours is read for it. */
  get passed(): Passed {
    const [stream, socket] = [this._currentDataStream, this._socket]
    if (!stream || !socket) return { taken: 0, left: -1 }
    const taken = stream.outByteCount
    return { taken, left: taken - stream.readableLength - socket.writableLength }
  }

  /** Sends one line; `heard` is given the reply. If the connection ends first, `error` or `end` is all that comes. */
  ask(line: string, heard: (reply: string) => void): void {
    this._responseActions.push(heard)
    this._sendCommand(line)
  }

  /** As `send`, which is declared for real streams alone. */
  sendPoured(envelope: SMTPEnvelope, pour: Pour, done: SMTPConnectionSendCallback): void {
    this.send(envelope, pour as unknown as Readable, done) // it looks for `pipe` and `destroy`, and listens where there is an `on`
  }

  /** After 354: takes content, stuffs its dots and ends it with one; `heard` is given the reply, which should be to that. */
  content(heard: (reply: string) => void): Writable {
    return this._createSendStream((error, reply = "") => heard(error?.response ?? reply))
  }

  /** What goes out in one turn of the event loop goes out together: the dot with the last of the content, in one write. */
  override _createSendStream(done: Sent): Transform {
    const stream = super._createSendStream(done)
    const socket = this._socket
    let corked = false
    stream.prependListener("data", () => {
      if (corked || !socket) return
      corked = true
      socket.cork()
      setImmediate(() => {
        corked = false
        socket.uncork()
      })
    })
    return stream
  }

  override _actionGreeting(reply: string): void {
    this.greeter = hostname(/^220[ -](?<name>\S+)/.exec(reply)?.groups?.["name"] ?? "")
    if (this.greeter !== this.#ownName) return super._actionGreeting(reply)
    this.emit("error", Object.assign(new Error(`it greets as ${this.greeter}`), { code: OWN_NAME }))
    this.close()
  }

  override _upgradeConnection(done: (error: Error | null, secured?: boolean) => void): void {
    super._upgradeConnection((error, secured) => {
      const socket = this._socket
      const wrong = error || !(socket instanceof TLSSocket) ? undefined : this.#unproven?.(socket)
      done(wrong === undefined ? error : new Error(wrong), secured)
    })
  }

  override _parseEhloExtensions(reply: string): void {
    // The first line names the host: "mx-dsn.example" offers nothing.
    const [, ...lines] = reply.split(/\r?\n/)
    super._parseEhloExtensions(["250-host", ...lines].join("\n"))
    this.features = new Map(lines.map(keyword))
    this._supportedExtensions = USED_BY_NODEMAILER.filter((name) => this.features.has(name))
  }

  override _advanceEnvelope(reply: string, done: Done): void {
    this.progress()
    super._advanceEnvelope(reply, done)
  }

  override _actionDATA(reply: string, done: Done): void {
    this.progress()
    // RFC 5321 §4.3.2: only 354 asks for content. A 250 here answers another command, and the one after it would pass for the final one.
    if (reply.startsWith("2")) return done(Object.assign(new Error(`${reply} instead of 354`), { code: "EPROTOCOL" }))
    super._actionDATA(reply, done)
  }

  override _getDsnRcptToArgs(): string {
    const recipient = this._recipientQueue.at(-1) ?? ""
    return (this.parameters.rcpt.get(recipient) ?? []).map((parameter) => ` ${parameter}`).join("")
  }

  override _sendCommand(line: string, logged?: string): void {
    const there = line.slice(line.lastIndexOf(">")).split(" ")
    const more = line.startsWith("MAIL FROM:") ? this.parameters.mail.filter((one) => !there.includes(one)) : []
    super._sendCommand([line, ...more].join(" "), logged)
  }
}

/** The error code of a next hop that greets with our own name. */
export const OWN_NAME = "WAYPOST_OWN_NAME"

function keyword(line: string): [string, string] {
  const parts = /^\d{3}[ -](?<name>[^\s=]+)[\s=]*(?<rest>.*)$/.exec(line)?.groups
  return [(parts?.["name"] ?? "").toUpperCase(), parts?.["rest"] ?? ""]
}
