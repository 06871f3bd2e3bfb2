/**
 * What MAIL, RCPT, DATA and BDAT come to, without a socket: commands in, answers out. Nothing is taken that is not for
 * a friend, and nothing is answered with 250 before the friend's own server has said so, or the spool that it is durable.
 */
import { fault, type Fault } from "../../faults/faults.ts"
import { isHeldToTls, sealedTo, type Route } from "../../route/route.ts"
import { SealedDraft } from "./sealed-draft.ts"
import type { Client } from "../../store/spool.ts"
import { Passage } from "../cut-through/passage.ts"
import type { Reply } from "../delivery/reply.ts"
import { Authentication } from "./authentication.ts"
import type { Ending } from "./content-reader.ts"
import { IncomingMessage } from "./incoming-message.ts"
import type { CameBy, Intake } from "./intake.ts"
import { readMail, readRcpt } from "./path-command.ts"
import { receivedLine } from "./received.ts"
import { admitRecipient } from "./recipients.ts"
import { Transaction } from "./transaction.ts"

export type Answer =
  | { readonly kind: "good"; readonly enhanced: `2.${number}.${number}`; readonly text: string }
  /** What the friend's own server said. */
  | { readonly kind: "theirs"; readonly reply: Reply }
  | { readonly kind: "refused"; readonly why: Fault }

/** What the session knows about the client by now. */
export type Peer = { readonly client: Client; readonly extended: boolean; readonly cipher: string | undefined }

export type Begun =
  { readonly kind: "begun"; readonly message: IncomingMessage } | Exclude<Answer, { readonly kind: "good" }>

export class Dialogue {
  readonly #intake: Intake
  readonly #passage: Passage | undefined
  readonly #came: CameBy
  readonly #asked = new Map<Route, Promise<Fault | undefined>>()
  #transaction: Transaction | undefined

  constructor(intake: Intake, came: CameBy) {
    this.#intake = intake
    this.#passage = intake.cutThrough && new Passage(intake.cutThrough)
    this.#came = came
  }

  /** `offersRequireTls`: what the last EHLO said. */
  mail(line: string, { client }: Peer, offersRequireTls: boolean): Answer {
    if (this.#transaction) return refuse(fault("COMMAND_MISPLACED", "MAIL inside a transaction"))
    const mail = readMail(line, offersRequireTls)
    if (mail.kind === "refused") return mail
    const { sizeBytes = 0 } = mail.value
    if (sizeBytes > this.#intake.limits.messageBytesMax) return refuse(fault("MESSAGE_TOO_LARGE", `SIZE=${sizeBytes}`))
    const tooOften = this.#intake.rates?.mail(client.address)
    if (tooOften) return refuse(tooOften)
    this.#transaction = new Transaction(mail.value)
    return good("2.1.0", "Sender taken")
  }

  async rcpt(line: string, { client }: Peer): Promise<Answer> {
    const transaction = this.#transaction
    if (!transaction || transaction.incoming) return refuse(fault("COMMAND_MISPLACED", "RCPT without MAIL"))
    const rcpt = readRcpt(line, transaction.mail.smtputf8)
    if (rcpt.kind === "refused") return rcpt
    const { recipient, notify, orcpt } = rcpt.value
    const { routeFor, lists, limits, refusals } = this.#intake
    const admitted = admitRecipient(recipient, {
      routeFor: (domain) => routeFor(this.#came.listener, domain),
      listIn: (file) => lists.of(file),
    })
    if (admitted.kind === "refused") return this.#mayBeCarried(admitted)
    const { route, address } = admitted
    const { friend } = route
    if (transaction.mail.requireTls && !isHeldToTls(route)) return refuse(fault("TLS_NOT_REQUIRED", friend))
    const full = transaction.refuses(friend, address, limits.recipientsMax)
    if (full) return refuse(full)
    const { strangers } = this.#intake
    const listed = admitted.always ? undefined : await this.#listed(route, client)
    if (listed) return refuse(listed)
    // Before the friend's server hears of it: what it has taken must not be refused here.
    const tooMuch = transaction.route ? undefined : this.#intake.rates?.mailFor(friend, client.address)
    if (tooMuch) return refuse(tooMuch)
    const asked = { route, client, mail: transaction.mail, recipient: { address, notify, orcpt } }
    const said = (await this.#passage?.recipient(asked)) ?? AWAY
    if (said.kind === "refused" || (said.kind === "theirs" && said.reply.code >= 300)) return said
    // That our spool is full is no news to mail that does not stay in it.
    const why = said.kind === "away" ? refusals.current(friend) : undefined
    if (why) return refuse(why)
    const triple = { client: client.address, from: transaction.mail.sender?.text ?? "", to: address }
    const unknown = said.kind === "away" && !admitted.always ? strangers?.greylisted(route, triple) : undefined
    if (unknown) return refuse(unknown)
    transaction.add(route, asked.recipient)
    return said.kind === "theirs" ? said : good("2.1.5", "Recipient taken")
  }

  /** Asked once in a session: the address stays the same. */
  #listed(route: Route, { address }: Client): Promise<Fault | undefined> {
    const { strangers } = this.#intake
    const asked = this.#asked.get(route) ?? strangers?.listed(route, address) ?? Promise.resolve(undefined)
    this.#asked.set(route, asked)
    return asked
  }

  /** The message that content goes to from here; of BDAT, the one that earlier chunks have begun. */
  async begin(ending: Ending, peer: Peer): Promise<Begun> {
    const transaction = this.#transaction
    const route = transaction?.route
    if (!transaction || !route) return refuse(fault("COMMAND_MISPLACED", "content without a recipient"))
    if (transaction.incoming && ending === "dot") return refuse(fault("COMMAND_MISPLACED", "DATA after BDAT"))
    if (!transaction.incoming) {
      const said = await this.#passage?.begin()
      if (said && said.kind !== "away") {
        this.reset()
        return said
      }
    }
    transaction.incoming ??= this.#incoming(transaction, { route, ending, peer })
    return { kind: "begun", message: transaction.incoming.message }
  }

  /** The content is complete: keeps it, or says why not. Either way the transaction is over. */
  async finish({ client }: Peer): Promise<Answer> {
    const transaction = this.#transaction
    const envelope = transaction?.envelope(client, this.#intake.clock.now())
    this.#transaction = undefined
    if (!transaction?.incoming || !envelope) return refuse(fault("COMMAND_MISPLACED", "no content"))
    const { id, message } = transaction.incoming
    const { friend, recipients } = envelope
    const finished = await message.finish(envelope)
    this.#passage?.reset()
    const { log, kept, taken } = this.#intake
    if (finished.kind === "theirs") {
      if (finished.reply.code < 300) taken(friend, this.#came, "passed")
      return finished
    }
    if (finished.kind === "refused") {
      this.#intake.refusals.remember(friend, finished.why)
      return finished
    }
    log.info("mail-kept", { id, friend, bytes: message.bytes, recipients: recipients.length, client: client.address })
    taken(friend, this.#came, "kept")
    kept(friend, id)
    return good("2.0.0", `Kept as ${id}`)
  }

  /** RSET, a new greeting, or the end of the connection. Content that is already being made durable stays. */
  reset(): void {
    void this.#transaction?.incoming?.message.discard()
    this.#transaction = undefined
    this.#passage?.reset()
  }

  /** The client is gone. */
  close(): void {
    this.reset()
    this.#passage?.close()
  }

  /**
   * A friend whose mail is carried end to end may list his mail host and not the domain behind the @. What came here only
   * because it could not be carried may be for him: it must come again, and not bounce.
   */
  #mayBeCarried(refused: Refused): Refused {
    const { code, detail } = refused.why
    return this.#came.unnamed && code === "NOT_OURS" ? refuse(fault("UNNAMED_SENDER", detail)) : refused
  }

  #incoming(transaction: Transaction, { route, ending, peer }: Beginning) {
    const { client, extended, cipher } = peer
    const { name, spool, clock, limits } = this.#intake
    const sealTo = sealedTo(route)
    const draft = sealTo ? new SealedDraft(spool.draft(), sealTo) : spool.draft()
    const about = { by: name, id: draft.id, at: clock.now(), client, extended, cipher }
    const recipients = transaction.recipients.map(({ address }) => address)
    const received = receivedLine({ ...about, smtputf8: transaction.mail.smtputf8, recipients })
    const message = new IncomingMessage(draft, {
      ending,
      name,
      received,
      bytesMax: limits.messageBytesMax,
      clock,
      passage: this.#passage,
      authentication: this.#authentication(route, client, transaction.mail.sender?.text ?? ""),
    })
    return { id: draft.id, message }
  }

  #authentication({ carry }: Route, { address, helo }: Client, from: string): Authentication | undefined {
    const isAsked = carry.mode === "peer" && carry.as === "mail" && carry.authenticate === true
    const { checker, name } = this.#intake
    return isAsked && checker ? new Authentication(checker, name, { address, helo, from }) : undefined
  }
}

type Beginning = { readonly route: Route; readonly ending: Ending; readonly peer: Peer }

const AWAY = { kind: "away" } as const

function good(enhanced: `2.${number}.${number}`, text: string): Answer {
  return { kind: "good", enhanced, text }
}

type Refused = { readonly kind: "refused"; readonly why: Fault }

function refuse(why: Fault): Refused {
  return { kind: "refused", why }
}
