/**
 * One sender's way to the friend's server, step by step with his own. Never both, never neither: until the end of the
 * content has a reply, the mail is the sender's; a 2xx makes it the friend's; only where no reply came is it kept here,
 * and then it may arrive once more (RFC 1047), because nobody knows what became of it.
 */
import { fault, type Fault } from "../../faults/faults.ts"
import type { FriendName, Route } from "../../route/route.ts"
import type { Client, MessageId, NewRecipient } from "../../store/spool.ts"
import { accepted, answerOf } from "../delivery/answer.ts"
import type { LiveContent } from "../delivery/live-content.ts"
import { LINGER_MS } from "../delivery/lanes.ts"
import { replyText, type Reply } from "../delivery/reply.ts"
import type { Session } from "../delivery/session.ts"
import { alongRoute, domainOf, targetKey, type Target } from "../delivery/target.ts"
import type { MailCommand } from "../intake/path-command.ts"
import { quit, REPLY_MS, type Connected, type CutThrough } from "./cut-through.ts"
import { inTheWay, mailLine, needsQueue, rcptLine } from "./envelope-lines.ts"

/** What a step came to. `away`: the friend's server has no say in this message, which is to be kept. */
export type Said =
  | { readonly kind: "theirs"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly why: Fault }
  | { readonly kind: "away" }

/** Who writes, to whom, and which way it goes. */
export type Asked = {
  readonly route: Route
  readonly client: Client
  readonly mail: MailCommand
  readonly recipient: NewRecipient
}

/** Ours: how long the reply to the content may take. Less than the 5 minutes of silence that our own session bears. */
export const FINAL_REPLY_MS = 4 * 60_000

/** Where one transaction stands at the friend's server. */
type At =
  | { readonly at: "start" }
  | { readonly at: "envelope"; readonly session: Session; readonly friend: FriendName }
  /** MAIL was refused, and so is every recipient. */
  | { readonly at: "refused"; readonly reply: Reply; readonly friend: FriendName }
  | { readonly at: "content"; readonly session: Session; readonly friend: FriendName; readonly content: LiveContent }
  /** From here on the message is kept. */
  | { readonly at: "away" }

const START: At = { at: "start" }
const AWAY: Said = { kind: "away" }

export class Passage {
  readonly #shared: CutThrough
  #at: At = START
  /** While there is no connection yet. */
  #connecting: AbortController | undefined
  #connected: Connected | undefined
  /** MAIL was said over this connection, and its transaction has not ended. */
  #unclean = false
  #mustKeep = false
  #accepted: string[] = []
  #wake: () => void = () => {}

  constructor(shared: CutThrough) {
    this.#shared = shared
  }

  /** Whether content goes to the friend's server as it comes. */
  get isLive(): boolean {
    return this.#at.at === "content"
  }

  /** Asks for one recipient, if the route wants that. While the friend's server is away, whom it did not know is still unknown. */
  async recipient(asked: Asked): Promise<Said> {
    const { route, recipient } = asked
    const purpose = purposeOf(route)
    if (purpose === "nothing") return AWAY
    const known = this.#shared.recipients.isKnown(route.friend, recipient.address)
    const unknown: Said = { kind: "refused", why: fault("NO_SUCH_RECIPIENT", "the friend's server said so before") }
    if (purpose === "ask") {
      if (known !== undefined) return known ? AWAY : unknown
      this.#mustKeep = true
      return this.#ask({ ...asked, mail: NOBODYS_MAIL })
    }
    const said = await this.#ask(asked)
    return said.kind === "away" && known === false ? unknown : said
  }

  /** With the first recipient, for a connection and the sender too. */
  async #ask(asked: Asked): Promise<Said> {
    if (this.#at.at === "start") {
      const begun = await this.#begin(asked)
      if (begun) return begun
    }
    if (this.#at.at === "refused") return this.#tell(this.#at.friend, this.#at.reply)
    if (this.#at.at !== "envelope") return AWAY
    const { mail, recipient } = asked
    const { session, friend } = this.#at
    const why = inTheWay(mail, recipient, session.features)
    if (why) return { kind: "refused", why }
    const reply = await session.ask(rcptLine(recipient, session.features), REPLY_MS)
    if (!isFinal(reply)) return this.#lose()
    this.#shared.recipients.remember(friend, recipient.address, reply)
    if (reply.code >= 300) return this.#tell(friend, reply)
    this.#accepted.push(recipient.address)
    this.#mustKeep ||= needsQueue(mail, recipient, session.features)
    return { kind: "theirs", reply }
  }

  /** DATA. `undefined`: content may come, whether it is passed on or kept. */
  async begin(): Promise<Said | undefined> {
    if (this.#at.at !== "envelope") return undefined
    const { session, friend } = this.#at
    if (this.#mustKeep) this.#at = { at: "away" }
    if (this.#mustKeep) return undefined
    const reply = await session.ask("DATA", REPLY_MS)
    if (reply?.code === 354) this.#at = { at: "content", session, friend, content: session.content() }
    else if (isRefusal(reply)) return this.#tell(friend, reply)
    else this.#lose()
    return undefined
  }

  /** Passes a piece of content on. Never rejects: what cannot be passed on is kept. */
  async write(piece: Uint8Array): Promise<void> {
    if (this.#at.at !== "content" || piece.length === 0) return
    const { content } = this.#at
    const more = await content.write(piece, REPLY_MS)
    if (!more && this.#at.at === "content" && !isRefusal(content.early)) this.#lose()
  }

  /** Nobody else reads this piece any more, which was written. One that was lost with its connection is left to V8. */
  spent(piece: Uint8Array): void {
    if (this.#at.at === "content") this.#at.content.spent(piece)
  }

  /** The end of the content. After `theirs` the message is the friend's, or he has refused it; else it must be kept. */
  async finish(id: MessageId): Promise<Said> {
    if (this.#at.at !== "content") return AWAY
    const { session, friend, content } = this.#at
    const reply = content.early ?? (await content.end(FINAL_REPLY_MS))
    if (content.early) this.#drop() // what is said next on it would be read as content
    if (content.early ? !isRefusal(reply) : !isFinal(reply)) return this.#lose()
    if (!reply) return AWAY
    this.#unclean = false
    this.#at = START
    for (const recipient of this.#accepted) this.#came({ id, friend, recipient, session }, reply)
    return { kind: "theirs", reply }
  }

  /** The transaction is over, however far it came. */
  reset(): void {
    if (this.#at.at === "content") this.#drop() // without the dot nothing was sent
    this.#at = START
    this.#mustKeep = false
    this.#accepted = []
    this.#rest()
  }

  /** The sender is gone. */
  close(): void {
    this.#connecting?.abort()
    this.#wake()
    if (this.#at.at === "start" || this.#at.at === "refused") this.#leave()
    else this.#drop()
    this.#at = { at: "away" }
  }

  async #begin(asked: Asked): Promise<Said | undefined> {
    const domain = domainOf(asked.recipient.address)
    const target = domain && alongRoute(asked.route, domain, false)
    if (!target) return this.#lose()
    for (;;) {
      const resting = this.#resting(target)
      const connected = resting ?? (await this.#connect(target))
      if (connected === "busy") return { kind: "refused", why: fault("HOME_BUSY", targetKey(target)) }
      if (connected === "away") return this.#lose()
      const rested = resting !== undefined || connected.rested
      this.#connected = connected
      if (this.#at.at !== "start") return this.#lose() // the sender has gone
      const introduced = await this.#shared.introduce(target, connected.session, asked.client)
      if (!introduced && !rested) return this.#lose()
      if (!introduced) this.#drop()
      if (!introduced) continue
      const why = inTheWay(asked.mail, asked.recipient, connected.session.features)
      if (why) return { kind: "refused", why }
      const reply = await this.#mail(connected.session, asked.mail)
      // A server that takes no mail from nobody cannot be asked.
      if (isFinal(reply) && reply.code >= 300 && this.#mustKeep) return this.#lose()
      if (isFinal(reply)) {
        const { friend } = asked.route
        const { session } = connected
        this.#at = reply.code < 300 ? { at: "envelope", session, friend } : { at: "refused", reply, friend }
        return undefined
      }
      this.#drop()
      if (!rested) return this.#lose()
    }
  }

  async #connect(target: Target): ReturnType<CutThrough["connect"]> {
    this.#connecting = new AbortController()
    const connected = await this.#shared.connect(target, this.#connecting.signal)
    this.#connecting = undefined
    return connected
  }

  async #mail(session: Session, mail: MailCommand): Promise<Reply | undefined> {
    const reset = this.#unclean ? await session.ask("RSET", REPLY_MS) : undefined
    if (this.#unclean && reset?.code !== 250) return undefined
    this.#unclean = true
    return session.ask(mailLine(mail, session.features), REPLY_MS)
  }

  #came(about: { id: MessageId; friend: FriendName; recipient: string; session: Session }, reply: Reply): void {
    const { id, friend, recipient, session } = about
    const { host, tls, proof } = session.facts
    const text = replyText(reply)
    this.#shared.answered(friend, reply.code < 300 ? accepted(text, session.facts) : answerOf(text, session.facts))
    if (reply.code >= 300) return
    this.#shared.log.info("mail-delivered", { message: id, friend, recipient, host, tls, proof, passed: true })
  }

  /** The friend's own refusal of one recipient, or of the message before its content. */
  #tell(friend: FriendName, reply: Reply): Said {
    const from = this.#connected?.session.facts
    if (from) this.#shared.answered(friend, answerOf(replyText(reply), from))
    return { kind: "theirs", reply }
  }

  /** The friend's server is gone, or makes no sense: what it was told so far counts for nothing. */
  #lose(): Said {
    this.#drop()
    this.#at = { at: "away" }
    return AWAY
  }

  /** The connection from the last message, if it leads there and may be used. */
  #resting(target: Target): Connected | undefined {
    this.#wake()
    const connected = this.#connected
    if (connected?.key === targetKey(target) && connected.session.usable) return connected
    this.#quit()
    return undefined
  }

  #rest(): void {
    this.#wake()
    if (this.#connected) this.#wake = this.#shared.clock.after(LINGER_MS, () => this.#quit())
  }

  /** For whoever comes next, unless a transaction was begun on it. */
  #leave(): void {
    if (this.#unclean) return this.#quit()
    const connected = this.#forget()
    if (connected) this.#shared.rest(connected)
  }

  #quit(): void {
    const connected = this.#forget()
    if (connected) quit(connected)
  }

  #drop(): void {
    const connected = this.#forget()
    connected?.session.close()
    connected?.giveBack()
  }

  #forget(): Connected | undefined {
    const connected = this.#connected
    this.#connected = undefined
    this.#unclean = false
    this.#wake()
    return connected
  }
}

/** RFC 5321 §4.5.5: what only asks is from nobody, so that the sender is not judged twice. */
const NOBODYS_MAIL: MailCommand = {
  sender: undefined,
  sizeBytes: undefined,
  body: "7bit",
  smtputf8: false,
  requireTls: false,
  ret: undefined,
  envid: undefined,
}

/** A dedicated route gets here what could not be carried end to end: of its recipients nothing is known. */
function purposeOf({ carry }: Route): "pass through" | "ask" | "nothing" {
  if (carry.mode === "dedicated") return "pass through"
  if (carry.as !== "mail") return "nothing"
  if (carry.cutThrough) return "pass through"
  return carry.recipients.kind === "asked" ? "ask" : "nothing"
}

/** A reply that says what becomes of it. RFC 5321 §3.8: 421 only says that the server goes away. */
function isFinal(reply: Reply | undefined): reply is Reply {
  const code = reply?.code ?? 0
  return code !== 421 && ((code >= 200 && code < 300) || (code >= 400 && code < 600))
}

function isRefusal(reply: Reply | undefined): reply is Reply {
  return isFinal(reply) && reply.code >= 400
}
