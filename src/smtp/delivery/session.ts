/**
 * One connection to a next hop, from its greeting to QUIT. Whatever the next hop does — silence, lies, one byte a
 * minute — every call here comes to an end by the clock.
 */
import type { Duplex } from "node:stream"
import { TLSSocket } from "node:tls"
import type { Clock } from "../../clock/clock.ts"
import type { FaultCode } from "../../faults/faults.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { KeptMessage, KeptRecipient } from "../../store/spool.ts"
import { Alarm } from "./alarm.ts"
import { accepted, answerOf, failed, type Answer, type HopFacts } from "./answer.ts"
import { mailParameters, obstacle, recipientParameters } from "./parameters.ts"
import { LiveContent } from "./live-content.ts"
import { Pour } from "./pour.ts"
import type { Features } from "./parameters.ts"
import { printable, readReply, type Reply } from "./reply.ts"
import type { Proof } from "../trust/demand.ts"
import { heloOf, visitorKey, xclientCommand, type Visitor } from "./xclient.ts"
import { OWN_NAME, SmtpClient, type ClientOptions } from "./smtp-client.ts"

/** Ours: greeting, EHLO and TLS together; RFC 5321 §4.5.3.2.1 asks for 5 minutes for the greeting. */
export const SETUP_MS = 5 * 60_000
/** RFC 5321 §4.5.3.2.2 and .3: 5 minutes for each reply to MAIL and RCPT; DATA may have them too. */
export const COMMAND_MS = 5 * 60_000
/** RFC 5321 §4.5.3.2.5: 3 minutes for each block of content to be taken. */
export const BLOCK_MS = 3 * 60_000
/** RFC 5321 §4.5.3.2.6: 10 minutes for the reply to the final dot, or mail is sent twice. */
export const FINAL_MS = 10 * 60_000
/** Ours: what one message may take in all, however busy the next hop looks, beside the time its size is worth. */
export const TRANSACTION_MS = 30 * 60_000
/** Ours: slower than this for a whole message and it is cut; a modem did better. */
export const CONTENT_BYTES_PER_SECOND_MIN = 2_000
/** Ours: a next hop that does not answer QUIT is left standing. */
export const QUIT_MS = 10_000

/** One message to some of its recipients. */
export type Letter = {
  readonly message: KeptMessage
  readonly recipients: readonly KeptRecipient[]
  readonly content: AsyncIterable<Uint8Array>
  /** Called with pieces of the content whose memory is not read any more, so that it can be had back before it is collected. */
  readonly spent?: ((piece: Uint8Array) => void) | undefined
  /** Told to the next hop with XCLIENT before the message; it must take it. `undefined`: not told. */
  readonly visitor?: Visitor | undefined
  /** Whether the header section needs SMTPUTF8 (RFC 6531 §3.4); asked only when the next hop lacks it. */
  readonly headerIsAscii: () => Promise<boolean>
}

export type SessionOptions = Omit<ClientOptions, "socket"> & {
  /** The next hop's name in logs. */
  readonly host: string
  /** What TLS proves once it is there. */
  readonly proof?: Proof
  readonly clock: Clock
  /** Ends the attempt to open a session; an open one has `close`. */
  readonly signal: AbortSignal
}

/** Why no session came about. `tls`: the handshake was to blame, so that plain text might do. `refused`: it took no STARTTLS. */
export type NotOpened = {
  readonly code: FaultCode
  readonly detail: string
  readonly tls: boolean
  readonly refused?: boolean
}

/** Goes through greeting, EHLO and STARTTLS on a connected socket. */
export function openSession(socket: Duplex, options: SessionOptions): Promise<Session | NotOpened> {
  const client = new SmtpClient({ ...options, socket })
  const alarm = new Alarm(options.clock)
  socket.on("error", () => {}) // nodemailer lets go of the plain socket once TLS runs on it
  return new Promise((resolve) => {
    const settle = (opened: Session | NotOpened): void => {
      alarm.clear()
      options.signal.removeEventListener("abort", stop)
      resolve(opened)
    }
    const fail = (error: SmtpError): void => {
      const tls = client.upgrading === true || error.code === "ETLS"
      const refused = error.code === "ETLS" && error.response !== undefined
      settle({ code: setupFault(error, tls), detail: printable(error.message), tls, refused })
      client.close()
      socket.destroy()
    }
    const stop = (): void => fail(new Error("the relay is being stopped"))
    options.signal.addEventListener("abort", stop)
    alarm.set(SETUP_MS, () => fail(new Error(`not ready after ${SETUP_MS / 1000} s`)))
    client.on("error", fail)
    client.connect((error) => {
      if (error) return fail(error)
      settle(new Session(client, socket, options))
      client.off("error", fail)
    })
  })
}

type SmtpError = Error & { readonly code?: string | undefined; readonly response?: unknown; readonly command?: unknown }

function setupFault(error: SmtpError, tls: boolean): FaultCode {
  if (error.code === OWN_NAME) return "NEXT_HOP_IS_US"
  if (tls) return "HOME_TLS_FAILED"
  return error.response === undefined ? "HOME_AWAY" : "HOME_SAYS_LATER"
}

/** What a message came to. `spoke`: the next hop said anything at all, so that a fresh connection would not do better. */
export type Transaction = { readonly answers: ReadonlyMap<string, Answer>; readonly spoke: boolean }

/** The next hop was not told who handed a message in. */
export type Unintroduced = { readonly answer: Answer; readonly spoke: boolean }

type Ending = { readonly error: SmtpError } | { readonly reply: string }

export class Session {
  readonly facts: HopFacts
  #messages = 0
  readonly #client: SmtpClient
  readonly #socket: Duplex
  readonly #ownName: Hostname
  readonly #step: Alarm
  readonly #whole: Alarm
  #end: (ending: Ending) => void = () => {}
  #broken = false
  /** What it was told with XCLIENT: from then on it takes no other (Postfix asks whether the *told* address may). */
  #introduced: string | undefined

  constructor(client: SmtpClient, socket: Duplex, { host, name, clock, proof }: SessionOptions) {
    this.#ownName = name
    this.#client = client
    this.#socket = socket
    this.#step = new Alarm(clock)
    this.#whole = new Alarm(clock)
    this.facts = { host, name: client.greeter, tls: tlsOf(client), proof, dsn: client.features.has("DSN") }
    client.on("error", (error: SmtpError) => this.#end({ error }))
    // Some of nodemailer's ways out tell nobody; those that do are quicker than this.
    client.on("end", () => setImmediate(() => this.#end({ error: new Error("the connection ended") })))
  }

  /** Another message may be sent over this connection. */
  get usable(): boolean {
    return !this.#broken && !this.#client.destroyed
  }

  /** Tells the next hop who hands in what comes (XCLIENT), once; what to say of the message if it does not take that. */
  async introduce(visitor: Visitor): Promise<Unintroduced | undefined> {
    if (this.#introduced !== undefined && this.isFor(visitor)) return undefined
    const command = xclientCommand((this.#client.features.get("XCLIENT") ?? "").split(" "), visitor)
    if (command === undefined) return this.#without(`${this.facts.host} does not offer XCLIENT`)
    const name = heloOf(visitor, this.#ownName)
    const refusal = await this.#within<string>(COMMAND_MS, (settle) =>
      this.#client.restart(command, name, (reply = "") => settle(reply)),
    )
    if (refusal === undefined)
      return { answer: failed("later", "HOME_AWAY", "the connection ended at XCLIENT", this.facts), spoke: false }
    this.#introduced = visitorKey(visitor)
    return refusal === "" ? undefined : this.#without(printable(refusal))
  }

  /** Nobody was introduced on this connection, or this visitor was. */
  isFor(visitor: Visitor): boolean {
    return this.#introduced === undefined || this.#introduced === visitorKey(visitor)
  }

  /** How many messages it has been used for. */
  get messages(): number {
    return this.#messages
  }

  /** What it offers beyond RFC 5321. */
  get features(): Features {
    return this.#client.features
  }

  /** Leads a transaction by hand: one command. `undefined`: no reply came in time, and the connection is cut. */
  async ask(line: string, deadlineMs: number): Promise<Reply | undefined> {
    const reply = await this.#within<string>(deadlineMs, (heard) => this.#client.ask(line, heard))
    return reply === undefined ? undefined : readReply(reply)
  }

  /** After 354 to a DATA of `ask`. */
  content(): LiveContent {
    this.#messages += 1
    return new LiveContent({
      open: (heard) => this.#client.content(heard),
      within: (deadlineMs, begin) => this.#within(deadlineMs, begin),
      isOut: () => !this.#client.amidContent,
      passed: () => this.#client.passed,
    })
  }

  /** Sends one message. Resolves with an answer for every recipient; content is read only if it is asked for. */
  async deliver(letter: Letter): Promise<Transaction> {
    this.#messages += 1
    const inTheWay = await obstacle(letter, this.#client.features, this.facts)
    if (inTheWay) return { answers: forAll(letter, inTheWay), spoke: true }
    const kept = letter.visitor && (await this.introduce(letter.visitor))
    if (kept) return { answers: forAll(letter, kept.answer), spoke: kept.spoke }
    let spoke = false
    this.#client.progress = () => {
      spoke = true
      this.#step.set(COMMAND_MS, () => this.#cut("no reply"))
    }
    const ending = await this.#transact(letter)
    const answers = this.#answers(letter, ending)
    if ("error" in ending) await this.#settleDown(ending.error)
    return { answers, spoke: spoke || "reply" in ending }
  }

  /** Says QUIT and waits a little for the answer; the promise need not be awaited. */
  quit(): Promise<void> {
    if (!this.usable) {
      this.close()
      return Promise.resolve()
    }
    return new Promise((resolve) => {
      this.#step.set(QUIT_MS, () => this.close())
      this.#end = () => {
        this.close()
        resolve()
      }
      this.#client.quit()
    })
  }

  /** Cuts the connection; a running message ends as not delivered. */
  close(): void {
    this.#broken = true
    this.#step.clear()
    this.#whole.clear()
    this.#client.close()
    this.#socket.destroy()
  }

  /** Resolves to what `begin` settles with, or to nothing: then the connection is cut. */
  #within<Value>(deadlineMs: number, begin: (settle: (value: Value) => void) => void): Promise<Value | undefined> {
    if (!this.usable) return Promise.resolve(undefined)
    return new Promise((resolve) => {
      const settle = (value: Value | undefined): void => {
        this.#end = () => {}
        this.#step.clear()
        resolve(value)
      }
      this.#end = () => {
        settle(undefined)
        this.close()
      }
      this.#step.set(deadlineMs, () => this.#cut("no reply"))
      begin(settle)
    })
  }

  /** Without it the mail would come from the relay's address, which spoils SPF and may be trusted there. */
  #without(why: string): Unintroduced {
    this.close()
    return { answer: failed("later", "HOME_WITHOUT_XCLIENT", why, this.facts), spoke: true }
  }

  #transact(letter: Letter): Promise<Ending> {
    const { message, recipients } = letter
    const pour = this.#pour(letter)
    return new Promise<Ending>((resolve) => {
      this.#end = (ending) => {
        this.#end = () => {}
        this.#step.clear()
        this.#whole.clear()
        pour.destroy()
        resolve(ending)
      }
      const worthMs = (message.sizeBytes / CONTENT_BYTES_PER_SECOND_MIN) * 1000
      this.#whole.set(TRANSACTION_MS + worthMs, () => this.#cut("the message took too long"))
      this.#step.set(COMMAND_MS, () => this.#cut("no reply"))
      this.#client.parameters = {
        mail: mailParameters(message, this.#client.features),
        rcpt: new Map(recipients.map((one) => [one.address, recipientParameters(one, this.#client.features)])),
      }
      const envelope = {
        from: message.from,
        to: recipients.map(({ address }) => address),
        size: message.sizeBytes,
        use8BitMime: message.body === "8bitmime",
      }
      this.#client.sendPoured(envelope, pour, (error, info) => {
        if (error) this.#end({ error })
        // A next hop that thanks for what it has not had cannot have kept it.
        else if (this.#client.amidContent) this.#end({ error: new Error("it accepted the message before its end") })
        else this.#end({ reply: info?.response ?? "" })
      })
    })
  }

  /** Hands content on as fast as it is taken, and moves the deadline with it. */
  #pour({ content, spent = () => {} }: Letter): Pour {
    return new Pour(content, {
      piece: () => this.#step.set(BLOCK_MS, () => this.#cut("content is not being taken")),
      passed: () => this.#client.passed,
      spent,
      end: () => this.#step.set(FINAL_MS, () => this.#cut("no reply to the end of content")),
      failed: (why) => this.#end({ error: Object.assign(new Error(String(why)), { code: "ESTREAM" }) }),
    })
  }

  #cut(why: string): void {
    this.#end({ error: new Error(why) })
    this.close()
  }

  #answers(letter: Letter, ending: Ending): ReadonlyMap<string, Answer> {
    const general = "reply" in ending ? accepted(ending.reply, this.facts) : this.#failure(ending.error)
    const refusals = this.#client.refusals()
    const own = (address: string): Answer => {
      const refusal = refusals.get(address)
      return refusal === undefined ? general : answerOf(refusal, this.facts)
    }
    return new Map(letter.recipients.map(({ address }) => [address, own(address)]))
  }

  #failure(error: SmtpError): Answer {
    if (error.command === "API" && error.code === "EENVELOPE")
      return failed("refused", "ADDRESS_MALFORMED", printable(error.message), this.facts)
    const reply = this.#client.mailRefusal ?? error.response
    if (typeof reply === "string") return answerOf(reply, this.facts)
    const code = error.code === "ESTREAM" ? "SPOOL_FAILED" : "HOME_AWAY"
    return failed("later", code, printable(error.message), this.facts)
  }

  /** After a failure: the connection is good for another message only if RSET says so. */
  async #settleDown(error: SmtpError): Promise<void> {
    const orderly = typeof error.response === "string" && /^[45]/.test(error.response)
    if (!orderly || this.#client.amidContent || !this.usable) return this.close()
    const reset = await new Promise<boolean>((resolve) => {
      this.#end = () => resolve(false)
      this.#step.set(COMMAND_MS, () => resolve(false))
      this.#client.reset((failure) => resolve(!failure))
    })
    this.#step.clear()
    if (!reset) this.close()
  }
}

function forAll(letter: Letter, answer: Answer): ReadonlyMap<string, Answer> {
  return new Map(letter.recipients.map(({ address }) => [address, answer]))
}

function tlsOf(client: SmtpClient): string | undefined {
  const socket = client._socket
  if (!client.secure || !(socket instanceof TLSSocket)) return undefined
  return `${socket.getProtocol() ?? "TLS"} ${socket.getCipher().name}`
}
