/**
 * Mail that a relay hands over as a whole: the box passes it on to its own mail server in SMTP, writes down what that took, and
 * then answers. What it has written down it does not pass on again, so that a relay may ask as often as it likes.
 */
import type { Clock } from "../clock/clock.ts"
import type { BoxService } from "../config/box-config.ts"
import type { Log } from "../log/log.ts"
import { failed, accepted, type Answer, type HopFacts } from "../smtp/delivery/answer.ts"
import { openTo, type Way } from "../smtp/delivery/open.ts"
import { printable, replyText } from "../smtp/delivery/reply.ts"
import { Session, type Transaction } from "../smtp/delivery/session.ts"
import type { Target } from "../smtp/delivery/target.ts"
import { unsealed } from "../seal/seal.ts"
import { visitorKey, type Visitor } from "../smtp/delivery/xclient.ts"
import { readLetter, type Letter } from "../smtp/transfer/letter.ts"
import { outcomeText, type Outcome } from "../smtp/transfer/outcome.ts"
import type { Takes, Transfer } from "../tunnel/transfer.ts"
import { IdleSessions } from "../smtp/delivery/idle-sessions.ts"
import type { MailJournal, Taken } from "./mail-journal.ts"
import { connectHome, FROM_THE_BOX } from "./services.ts"
import { ArrivingContent } from "./arriving-content.ts"

/** Ours: below the 50 connections that Postfix takes from one client; whoever hands over more is asked to try later. */
const MAILS_AT_ONCE_MAX = 40
/** Ours: a service at home answers at once or not at all. */
const CONNECT_MS_MAX = 5_000

/** Whose connection it is, for a server that wants a PROXY header: several senders' mail comes over one. */
const CALLER = { ...FROM_THE_BOX, serverName: undefined, alpn: [] }

export type MailHomeOptions = {
  readonly services: ReadonlyMap<string, BoxService>
  readonly journal: MailJournal
  /** Private age keys that sealed mail is opened with. */
  readonly keys: readonly string[]
  readonly clock: Clock
  readonly log: Log
}

export class MailHome {
  readonly #options: MailHomeOptions
  readonly #idle: IdleSessions
  /** By mail, so that two hands with the same one go one after the other. */
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor(options: MailHomeOptions) {
    this.#options = options
    this.#idle = new IdleSessions(options.clock)
  }

  /** For one relay: no other can say that mail of its was taken already. `relay`: what it is known by, as its key. */
  takesFrom(relay: string): Takes {
    return {
      offers: (service) => this.#offers(service),
      take: (transfer) => this.#take(relay, transfer),
    }
  }

  close(): void {
    this.#idle.close()
    this.#options.journal.close()
  }

  async #offers(name: string): Promise<boolean | undefined> {
    const service = this.#options.services.get(name)
    if (!service) return undefined
    try {
      const connection = await connectHome(service, CALLER)
      connection.destroy()
      return true
    } catch {
      return false
    }
  }

  async #take(relay: string, { service, about, content }: Transfer): Promise<string | undefined> {
    const letter = readLetter(about)
    const place = this.#options.services.get(service)
    if (!letter || !place) return undefined
    const mail = `${relay} ${letter.message.id}`
    const before = this.#underWay.get(mail) ?? Promise.resolve()
    const work = before.then(() => this.#once(mail, { letter, service, place, content }))
    const ended = work.catch(() => {})
    this.#underWay.set(mail, ended)
    try {
      return outcomeText(await work)
    } finally {
      if (this.#underWay.get(mail) === ended) this.#underWay.delete(mail)
    }
  }

  /** Passes on to those recipients who do not have it yet, and answers for all. */
  async #once(mail: string, given: Given): Promise<Outcome> {
    const { journal } = this.#options
    const had = new Map(journal.taken(mail).map((taken) => [taken.recipient, answerFrom(taken)]))
    const recipients = given.letter.message.recipients.filter(({ address }) => !had.has(address))
    if (recipients.length === 0) return had
    const answers = await this.#pass({ ...given, letter: about(given.letter, { recipients }) })
    const taken = [...answers].flatMap(([recipient, answer]) => takenIn(recipient, answer))
    const noted = taken.length > 0 ? journal.note(mail, taken) : Promise.resolve() // nothing may come in between
    this.#tell(given, answers)
    await noted
    return new Map([...had, ...answers])
  }

  async #pass(given: Given): Promise<Outcome> {
    const all = (answer: Answer): Outcome => forAll(given, answer)
    if (this.#underWay.size > MAILS_AT_ONCE_MAX) return all(failed("later", "HOME_BUSY", "the box has its hands full"))
    if (!this.#options.journal.isSound())
      return all(failed("later", "SPOOL_FAILED", "the box cannot write its journal"))
    if (!given.letter.message.sealed) return this.#speak(given)
    let broken: Error | undefined
    const content = unsealed(given.content, this.#options.keys, (why) => (broken = why))
    const answers = await this.#speak({ ...given, content, letter: about(given.letter, { sealed: false }) })
    return broken === undefined ? answers : all(failed("later", "HOME_CANNOT_OPEN", printable(String(broken))))
  }

  /** Content that breaks is not ended, so that the server does not take it. */
  async #speak(given: Given): Promise<Outcome> {
    const visitor = visitorOf(given.letter)
    const key = sessionKey(given, visitor)
    const content = new ArrivingContent(given.content)
    const waiting = this.#idle.take(key)
    const first = waiting && (await deliver(waiting, given.letter, { visitor, content }))
    if (waiting && first && (waiting.usable || first.spoke)) return this.#left(key, waiting, first)
    const opened = await openTo(targetOf(given), this.#way(given), new AbortController().signal)
    if (!(opened instanceof Session)) return forAll(given, opened)
    return this.#left(key, opened, await deliver(opened, given.letter, { visitor, content }))
  }

  #left(key: string, session: Session, { answers }: Transaction): Outcome {
    this.#idle.leave(key, session)
    return answers
  }

  #way({ letter, place }: Given): Way {
    const { clock } = this.#options
    return {
      name: letter.by,
      ownAddresses: [],
      dial: () => connectHome(place, CALLER),
      reachBox: undefined,
      resolver: () => Promise.resolve({ kind: "failed", why: "there is nothing to look up" }),
      published: undefined,
      judged: undefined,
      nameBehind: undefined,
      ca: undefined,
      clock,
      dice: Math.random,
      connectDeadlineMs: CONNECT_MS_MAX,
    }
  }

  #tell({ service, letter }: Given, answers: Outcome): void {
    const { id } = letter.message
    const relay = letter.by
    for (const [recipient, answer] of answers) {
      if (answer.kind === "accepted")
        this.#options.log.info("mail-delivered", { message: id, relay, service, recipient })
      else this.#options.log.warn(`mail-${answer.kind}`, { message: id, relay, service, recipient, why: answer.detail })
    }
  }
}

type Given = {
  readonly letter: Letter
  readonly service: string
  readonly place: BoxService
  readonly content: AsyncIterable<Uint8Array>
}

/** The same letter, with something else said of it. */
function about(letter: Letter, different: Partial<Letter["message"]>): Letter {
  return { ...letter, message: { ...letter.message, ...different } }
}

function forAll({ letter }: Given, answer: Answer): Outcome {
  return new Map(letter.message.recipients.map(({ address }) => [address, answer]))
}

/** Never rejects: what breaks is a reason to try again. */
async function deliver(
  session: Session,
  { message }: Letter,
  { visitor, content }: { readonly visitor: Visitor | undefined; readonly content: ArrivingContent },
): Promise<Transaction> {
  const { recipients } = message
  try {
    const headerIsAscii = () => content.headerIsAscii()
    return await session.deliver({ message, recipients, content, visitor, headerIsAscii })
  } catch (error) {
    session.close()
    const answer = failed("later", "HOME_AWAY", printable(String(error)))
    return { answers: new Map(recipients.map(({ address }) => [address, answer])), spoke: true }
  }
}

function targetOf({ letter, place, service }: Given): Target {
  const hop = { kind: "tcp", to: place.to } as const
  const { by, pinned, visitorName } = letter
  const xclient = visitorName !== undefined
  return { by: "route", friend: service, hops: [hop], tls: pinned ?? "opportunistic", xclient, domain: by }
}

function visitorOf({ message: { client }, visitorName: name }: Letter): Visitor | undefined {
  return name && { client, name }
}

/** Equal for mail that may go over the same connection. */
function sessionKey({ service, letter: { by, pinned } }: Given, visitor: Visitor | undefined): string {
  return [service, by, pinned?.spkiSha256.join() ?? "", visitor ? visitorKey(visitor) : ""].join(" ")
}

function takenIn(recipient: string, answer: Answer): readonly Taken[] {
  if (answer.kind !== "accepted") return []
  return [{ recipient, reply: replyText(answer.reply), dsn: answer.from.dsn }]
}

function answerFrom({ reply, dsn }: Taken): Answer {
  const from: HopFacts = { host: "", name: undefined, tls: undefined, proof: undefined, dsn }
  return accepted(reply, from)
}
