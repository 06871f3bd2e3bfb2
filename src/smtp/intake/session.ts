/**
 * One SMTP session, from greeting to goodbye: our dialogue on top of the library's connection, which keeps the loop of
 * commands, STARTTLS and closing. That the library still has each member that is overridden here, and still uses it as
 * we expect, is tested in library-contract.test.ts.
 */
import type { Socket } from "node:net"
import { TLSSocket } from "node:tls"
import type { SMTPServer } from "smtp-server"
import { SMTPConnection } from "smtp-server/lib/smtp-connection.js"
import { fault, kindOf, type Fault, type FaultCode } from "../../faults/faults.ts"
import type { Arrival } from "./arrival.ts"
import { CommandStream, type TakeContent } from "./command-stream.ts"
import { Dialogue, type Answer, type Peer } from "./dialogue.ts"
import type { IncomingMessage } from "./incoming-message.ts"
import type { Intake } from "./intake.ts"
import { replyText as oneLine, type Reply } from "../delivery/reply.ts"
import type { Fetching, LoggedIn, WakingSession } from "./waking.ts"
import { addressLiteral } from "./received.ts"
import { quoted, replyText, theirStatus, theirText } from "./reply-text.ts"

/** As Postfix (smtpd_hard_error_limit, smtpd_soft_error_limit, smtpd_error_sleep_time): who guesses is slowed, then cut. */
const ERRORS_MAX = 20
const ERRORS_AT_FULL_SPEED_MAX = 10
const ERROR_DELAY_MS = 1_000
/** Ours: a session ends at the next message boundary after this. Senders that reuse connections do so for minutes. */
export const SESSION_MS_MAX = 3_600_000
/** RFC 5321 §4.5.3.1.2: a domain has at most 255 octets. */
const HELO_CHARS_MAX = 255

/** RFC 2920 §3.1, RFC 1985 §4, RFC 4954 §4, RFC 2645 §5: what follows these depends on their answer, so they come last in a group of commands. */
const LAST_IN_GROUP = /^(?:EHLO|HELO|STARTTLS|DATA|ETRN|AUTH|ATRN)\b/i
/** RFC 3030 §2. */
const BDAT = /^BDAT +(?<bytes>\d{1,15})(?<last> +LAST)? *$/i
const ENHANCED_CODE = /^[245]\.\d{1,3}\.\d{1,3}$/

export class MailSession extends SMTPConnection {
  readonly #intake: Intake
  readonly #arrival: Arrival
  readonly #gone: () => void
  readonly #dialogue: Dialogue
  readonly #waking: WakingSession | undefined
  /** We are the client here now: nothing more is said in our name. */
  #turned = false
  #receiving: IncomingMessage | "nothing of use" | undefined
  #goodbye: FaultCode | undefined
  #isAnswered = false
  #errors = 0
  #isWaited = false
  #forgetGreeting: () => void = () => {}
  #forgetDeadline: () => void = () => {}
  #forgetPace: () => void = () => {}

  constructor(server: SMTPServer, socket: Socket, options: { intake: Intake; arrival: Arrival; gone: () => void }) {
    const { intake, arrival, gone } = options
    const { remote, local } = arrival
    const addresses = { remoteAddress: remote.address, remotePort: remote.port }
    super(server, socket, { ...addresses, localAddress: local.address, localPort: local.port })
    this.#intake = intake
    this.#arrival = arrival
    this.#gone = gone
    this.#dialogue = new Dialogue(intake, arrival)
    this.#waking = intake.waking?.session(arrival.listener, arrival.remote.address)
    this.needsUpgrade = arrival.after === "STARTTLS"
    this.#isAnswered = arrival.after !== undefined
  }

  /** Says goodbye: at once, or when the message that is coming in has its answer. */
  end(why: FaultCode): void {
    if (this.#turned) return
    this.#goodbye = why
    if (!this.#receiving) this.#refuse(fault(why, "the session is ended"))
  }

  /** Whatever is under way. */
  cut(): void {
    this._socket.destroy()
  }

  /** The library waits 100 ms before it greets, to catch clients that talk first; it refuses those also without. */
  override init(): void {
    this.#forgetDeadline = this.#intake.clock.after(SESSION_MS_MAX, () => this.end("SLOW_SENDER"))
    const { listener, after } = this.#arrival
    const waitMs = after === undefined ? this.#intake.greetWaitMs(listener) : 0
    if (waitMs > 0)
      this._setListeners(() => (this.#forgetGreeting = this.#intake.clock.after(waitMs, () => this.#greet())))
    else this._setListeners(() => this.#greet())
  }

  #greet(): void {
    this.#isWaited = true
    this.connectionReady()
  }

  override _sendGreeting(): void {
    if (!this.#isAnswered) super._sendGreeting()
    if (this.#arrival.after === "STARTTLS") this.#isAnswered = false
    if (this.#arrival.refusal) this.#turnAway(this.#arrival.refusal)
  }

  /** Called by the base constructor: nothing of ours exists yet, and nothing in here needs it before a byte arrives. */
  override _createParser(): CommandStream {
    const stream = new CommandStream((code) => this.#refuseAndClose(fault(code, "in a command")))
    stream.oncommand = (command, done = () => {}) => this._onCommand(command, done)
    stream.on("finish", () => this.close()) // the client will send nothing more, and everything has its answer
    stream.on("error", (error) => this.#refuseAndClose(fault("SPOOL_FAILED", error.message)))
    return stream
  }

  override _onCommand(command: Buffer, done: () => void): void {
    if (this.#goodbye) return this.#refuse(fault(this.#goodbye, "the session is ended"))
    if (!this.#isWaited) return this.#refuse(fault("TALKED_TOO_SOON", quoted(command)))
    if (this.#errors >= ERRORS_MAX) return this.#refuse(fault("TOO_MANY_ERRORS", `${this.#errors} errors`))
    if (this.#isAnswered) return this.#replay(command, done)
    if (LAST_IN_GROUP.test(command.toString()) && this.#hasUnread()) {
      return this.#refuseAndClose(fault("PIPELINED_UNASKED", quoted(command)))
    }
    const errorsBefore = this.#errors
    super._onCommand(command, () => {
      const slowed = this.#errors > errorsBefore && this.#errors > ERRORS_AT_FULL_SPEED_MAX
      if (slowed) this.#intake.clock.after(ERROR_DELAY_MS, done)
      else done()
    })
  }

  /** The one command that was answered before it came to us. */
  #replay(command: Buffer, done: () => void): void {
    super._onCommand(command, () => {
      this.#isAnswered = false
      done()
    })
  }

  /** The library has one enhanced code for each reply code (RFC 2034); ours comes as the context. */
  override _getEnhancedStatusCode(code: number, context?: string | false): string {
    return context && ENHANCED_CODE.test(context) ? context : super._getEnhancedStatusCode(code, context)
  }

  /** The one place that writes. The library's says nothing more to a client who has finished sending. */
  override send(code: number, data?: string | string[] | null, context?: string | false): void {
    if (this.#isAnswered && code < 400) return
    if (code >= 400) this.#errors += 1
    const enhanced = this._getEnhancedStatusCode(code, context)
    const reply = replyText(code, enhanced, Array.isArray(data) ? data : [data ?? ""])
    // During the TLS handshake a reply in clear would land in the middle of it.
    if (!this._upgrading && this._socket.writable) this._socket.write(reply)
    if (code === 421) this.close()
  }

  /** Called at EHLO, HELO, RSET and after STARTTLS. */
  override _resetSession(): void {
    super._resetSession()
    this.#dialogue.reset()
  }

  override _onClose(): void {
    this.#forgetDeadline()
    this.#forgetPace()
    this.#forgetGreeting()
    this.#dialogue.close()
    super._onClose()
    this.#gone()
  }

  override handler_EHLO(command: Buffer, done: () => void): void {
    const [, helo = "", ...more] = command.toString().trim().split(/ +/)
    if (helo === "" || helo.length > HELO_CHARS_MAX || more.length > 0) {
      this.#refuse(fault("COMMAND_MALFORMED", quoted(command)))
      return done()
    }
    this.hostNameAppearsAs = helo
    this._resetSession()
    this.send(250, [this.#greeting(), ...this.#extensions()], false)
    done()
  }

  override handler_MAIL(command: Buffer, done: () => void): void {
    this.#answer(this.#dialogue.mail(command.toString(), this.#peer(), this.#offersRequireTls()))
    done()
  }

  override handler_RCPT(command: Buffer, done: () => void): void {
    void this.#rcpt(command, done)
  }

  async #rcpt(command: Buffer, done: () => void): Promise<void> {
    this.#answer(await this.#dialogue.rcpt(command.toString(), this.#peer()))
    done()
  }

  override handler_DATA(command: Buffer, done: () => void): void {
    void this.#data(command, done)
  }

  async #data(command: Buffer, done: () => void): Promise<void> {
    const begun = await this.#dialogue.begin("dot", this.#peer())
    if (begun.kind !== "begun") this.#answer(begun)
    // The friend's server was asked meanwhile; who talks on has not waited for our answer.
    else if (this.#hasUnread()) this.#refuseAndClose(fault("PIPELINED_UNASKED", quoted(command)))
    else {
      this.send(354, "End data with <CR><LF>.<CR><LF>")
      this.#receive(begun.message, async (bytes) => {
        const taken = await begun.message.take(bytes)
        if (taken.ended) this.#answer(await this.#dialogue.finish(this.#peer()))
        return taken
      })
    }
    done()
  }

  /** Whatever is wrong, the octets that were announced follow; they are not commands and must not be read as such. */
  handler_BDAT(command: Buffer, resume: () => void): void {
    void this.#chunk(command, resume)
  }

  async #chunk(command: Buffer, resume: () => void): Promise<void> {
    const given = BDAT.exec(command.toString())?.groups
    if (!given) return this.#refuseAndClose(fault("COMMAND_MALFORMED", quoted(command)))
    const chunkBytes = Number(given["bytes"])
    if (chunkBytes > this.#intake.limits.messageBytesMax) {
      return this.#refuseAndClose(fault("MESSAGE_TOO_LARGE", `a chunk of ${chunkBytes} bytes`))
    }
    const begun = await this.#dialogue.begin("counted", this.#peer())
    const ended = async (): Promise<void> => {
      if (begun.kind !== "begun") this.#answer(begun)
      else if (given["last"]) this.#answer(await this.#dialogue.finish(this.#peer()))
      else this.#answer({ kind: "good", enhanced: "2.0.0", text: `${chunkBytes} octets taken` })
    }
    if (chunkBytes === 0) {
      await ended()
      return resume()
    }
    let leftBytes = chunkBytes
    this.#receive(begun.kind === "begun" ? begun.message : "nothing of use", async (bytes) => {
      const chunk = bytes.subarray(0, leftBytes)
      const consumedBytes = chunk.length
      leftBytes -= consumedBytes
      if (begun.kind === "begun") await begun.message.take(chunk)
      if (leftBytes === 0) await ended()
      return { consumedBytes, ended: leftBytes === 0 }
    })
    resume()
  }

  /** RFC 1985. */
  handler_ETRN(command: Buffer, done: () => void): void {
    void this.#etrn(command.toString(), done)
  }

  async #etrn(line: string, done: () => void): Promise<void> {
    if (!this.#waking?.knows("ETRN")) return this.#unknownCommand(done)
    const said = await this.#waking.etrn(line, this.secure)
    if (said.kind === "good") this.send(250, said.text, "2.0.0")
    else this.#refuse(said.why)
    done()
  }

  override handler_AUTH(command: Buffer, done: () => void): void {
    if (!this.#waking?.knows("AUTH")) return this.#unknownCommand(done)
    void this.#loggedIn(this.#waking.auth(command.toString(), this.secure), done)
  }

  async #loggedIn(asked: Promise<LoggedIn>, done: () => void): Promise<void> {
    const said = await asked
    if (said.kind === "challenge") {
      this._nextHandler = (response: Buffer, next: () => void) => {
        if (this.#waking) void this.#loggedIn(this.#waking.response(response.toString(), this.secure), next)
      }
      this.send(334, said.text, false)
    } else if (said.kind === "in") this.send(235, "You are known", "2.7.0")
    else {
      this.#refuse(said.why)
      return void this.#intake.clock.after(ERROR_DELAY_MS, done) // who guesses is slowed from the first time on
    }
    done()
  }

  /** RFC 2645. */
  handler_ATRN(command: Buffer, done: () => void): void {
    void this.#atrn(command, done)
  }

  async #atrn(command: Buffer, done: () => void): Promise<void> {
    if (!this.#waking?.knows("ATRN")) return this.#unknownCommand(done)
    const said = await this.#waking.atrn(command.toString(), this.secure)
    if (said.kind === "turn" && this.#hasUnread()) {
      return this.#refuseAndClose(fault("PIPELINED_UNASKED", quoted(command)))
    }
    if (said.kind === "turn") return this.#turn(said.fetching)
    this.#refuse(said.why)
    done()
  }

  /** Nothing is read here any more, and nothing said but 250: the connection is a client's, and its end is still told to us. */
  #turn(fetching: Fetching): void {
    this.send(250, "Now you are the server", "2.0.0")
    this.#turned = true
    this.#forgetDeadline()
    const socket = this._socket
    if (this._parser instanceof CommandStream) socket.unpipe(this._parser)
    socket.setTimeout(0)
    this.#intake.waking?.turned(fetching, socket)
  }

  /** As the library answers what nobody knows: strangers do not learn that there is anything to ask for. */
  #unknownCommand(done: () => void): void {
    this.send(500, "Error: command not recognized")
    setImmediate(done)
  }

  #receive(message: IncomingMessage | "nothing of use", take: TakeContent): void {
    if (!(this._parser instanceof CommandStream)) return
    this.#receiving = message
    if (message !== "nothing of use") this.#watchPace(message)
    this._parser.receiveContent(async (bytes) => {
      const taken = await take(bytes)
      if (taken.ended) this.#received()
      else if (message !== "nothing of use" && message.fault && message.isExhausting)
        this.#refuseAndClose(message.fault)
      return taken
    })
  }

  #received(): void {
    this.#receiving = undefined
    this.#forgetPace()
    if (this.#goodbye) this.end(this.#goodbye)
  }

  #watchPace(message: IncomingMessage): void {
    this.#forgetPace = this.#intake.clock.after(message.pace.leftMs(), () => {
      if (message.pace.leftMs() > 0) this.#watchPace(message)
      else this.#refuse(fault("SLOW_SENDER", "in the content"))
    })
  }

  #answer(answer: Answer): void {
    if (answer.kind === "good") this.send(250, answer.text, answer.enhanced)
    else if (answer.kind === "theirs") this.#passOn(answer.reply)
    else this.#refuse(answer.why)
  }

  /** What the friend's own server said. */
  #passOn(reply: Reply): void {
    const { code } = reply
    if (code >= 400) {
      const { listener, remote } = this.#arrival
      const said = fault(code < 500 ? "HOME_SAYS_LATER" : "HOME_REFUSES", oneLine(reply))
      this.#intake.refused(said.code)
      this.#intake.log.info("mail-refused", { ...said, listener, client: remote.address })
    }
    this.send(code, theirText(reply), theirStatus(reply))
  }

  /** With 421 the connection is closed. */
  #refuse({ code, detail }: Fault): void {
    const { smtp = "451 4.3.0", tell } = kindOf(code)
    this.#intake.refused(code)
    const [reply = "", enhanced] = smtp.split(" ")
    const { listener, remote } = this.#arrival
    this.#intake.log.info("mail-refused", { code, detail, listener, client: remote.address })
    this.send(Number(reply), tell, enhanced)
  }

  /** Whatever the fault's own reply is, the connection is closed, which only 421 says (RFC 5321 §3.8). */
  #turnAway(code: FaultCode): void {
    const { smtp = "421 4.3.0", tell } = kindOf(code)
    const [, enhanced = "4.3.0"] = smtp.split(" ")
    const { listener, remote } = this.#arrival
    this.#intake.log.info("mail-refused", { code, detail: "inside our own TLS", listener, client: remote.address })
    this.send(421, tell, enhanced.replace(/^5/, "4"))
  }

  #refuseAndClose(why: Fault): void {
    this.#refuse(why)
    this.close()
  }

  #hasUnread(): boolean {
    const unreadBytes = this._parser instanceof CommandStream ? this._parser.unreadBytes : 0
    return unreadBytes + this._socket.readableLength > 0
  }

  #greeting(): string {
    return `${this.#intake.name} greets ${addressLiteral(this.#arrival.remote.address)}`
  }

  #extensions(): string[] {
    const { limits, offersTls } = this.#intake
    const starttls = offersTls && !this.secure ? ["STARTTLS"] : []
    // RFC 9422: a message goes to one friend, and what is in one domain is one friend's.
    const limited = `LIMITS RCPTMAX=${limits.recipientsMax} RCPTDOMAINMAX=1`
    const always = ["PIPELINING", "8BITMIME", "SMTPUTF8", "ENHANCEDSTATUSCODES", "DSN", "CHUNKING"]
    const requireTls = this.#offersRequireTls() ? ["REQUIRETLS"] : []
    const waking = this.#waking?.keywords(this.secure) ?? []
    return [...always, ...starttls, ...requireTls, ...waking, `SIZE ${limits.messageBytesMax}`, limited]
  }

  /** RFC 8689 §2: only over TLS. Only where it can be kept for somebody's mail. */
  #offersRequireTls(): boolean {
    return this.secure && this.#intake.holdsTls(this.#arrival.listener)
  }

  #peer(): Peer {
    const cipher = this._socket instanceof TLSSocket ? this._socket.getCipher().standardName : undefined
    const protocol = this._socket instanceof TLSSocket ? this._socket.getProtocol() : undefined
    const tls = cipher === undefined ? undefined : `${protocol} ${cipher}`
    const helo = this.hostNameAppearsAs || ""
    const client = { address: this.#arrival.remote.address, helo, tls }
    return { client, extended: this.openingCommand === "EHLO", cipher }
  }
}
