/** Writes down what deliveries came to, and tells senders first: a failure that is recorded is a failure that was told. */
import type { Clock } from "../../clock/clock.ts"
import type { Log } from "../../log/log.ts"
import type { KeptMessage, KeptRecipient, MessageId, Outcome, Spool } from "../../store/spool.ts"
import type { Answer } from "./answer.ts"
import { RETRY_FIRST_MS, type Dice } from "./back-off.ts"
import { decide, type Circumstances, type Decision } from "./decide.ts"
import type { DeliveredJournal } from "./delivered-journal.ts"
import type { Job } from "./destination.ts"
import { heldForFriend } from "./not-told.ts"
import { isTellable, tellSender, type Teller } from "./tell-sender.ts"

/** What came of a job, by recipient. Recipients without an answer stay as they were. */
export type Answers = ReadonlyMap<string, Answer>

/** Of what `decide` has to know, the part that differs from job to job. */
export type How = Pick<Circumstances, "notBefore" | "tried">

/** Ours: how long a spool that cannot record is left alone. */
const RECORD_AGAIN_MS = 5_000

export type LedgerOptions = {
  readonly dice: Dice
  readonly journal: DeliveredJournal | undefined
  /** Told what came of every recipient. */
  readonly answered: ((friend: string, answer: Answer) => void) | undefined
}

export class Ledger {
  readonly #spool: Spool
  readonly #clock: Clock
  readonly #log: Log
  readonly #dice: Dice
  readonly #teller: Teller
  readonly #journal: DeliveredJournal | undefined
  readonly #answered: LedgerOptions["answered"]

  constructor(teller: Teller, { dice, journal, answered }: LedgerOptions) {
    this.#answered = answered
    this.#teller = teller
    this.#journal = journal
    this.#spool = teller.spool
    this.#clock = teller.clock
    this.#log = teller.log
    this.#dice = dice
  }

  /** Records what was delivered before the relay was killed; once, before anything else is delivered. */
  async replay(): Promise<void> {
    const when = this.#clock.now()
    const attempt = { at: "done", how: "delivered", when, lastReply: "taken before the relay was ended" } as const
    for (const { message, recipients } of this.#journal?.leftOver ?? [])
      await this.#spool.record(
        message,
        recipients.map((recipient) => ({ recipient, attempt })),
      )
  }

  /** Resolves when everything is durable. When `signal` has fired, a record that fails is left: it is tried again after the next start. */
  async record(job: Job, answers: Answers, how: How, signal: AbortSignal): Promise<void> {
    const recipients = [...answers].flatMap(([address, { kind }]) => (kind === "accepted" ? [address] : []))
    if (recipients.length > 0) this.#journal?.note({ message: job.message.id, recipients })
    const at = { ...how, now: this.#clock.now(), dice: this.#dice, mailLifetimeMs: this.#teller.mailLifetimeMs }
    const decided = job.recipients.flatMap((recipient) => {
      const answer = answers.get(recipient.address)
      // Mail that waits for a host known to be away would fill the log with what was said once.
      if (answer && how.tried) this.#logAnswer(job.message, recipient, answer)
      return answer ? [decide(job.message, recipient, answer, at)] : []
    })
    const outcomes = await this.#told(job.message, decided)
    const written = outcomes.length === 0 || (await this.#write(job.message.id, outcomes, signal))
    if (written && recipients.length > 0) this.#journal?.settled()
  }

  /** Failures that the sender could not be told of are not failures yet. */
  async #told(message: KeptMessage, decided: readonly Decision[]): Promise<readonly Outcome[]> {
    const notices = decided.flatMap(({ notice }) => notice ?? [])
    if (notices.length === 0) return decided.map(({ outcome }) => outcome)
    const isTold = ({ notice }: Decision): boolean => !notice || isTellable(message, notice, this.#teller)
    try {
      await tellSender(message, notices, this.#teller)
      return decided.map((one) => (isTold(one) ? one.outcome : heldForFriend(message, one)))
    } catch (error) {
      this.#log.error("notice-not-kept", { message: message.id, why: String(error) })
      return decided.map(({ outcome, notice }) =>
        notice && notice.what !== "relayed" ? this.#onceMore(notice.recipient, String(error)) : outcome,
      )
    }
  }

  #onceMore({ address, attempt }: KeptRecipient, why: string): Outcome {
    const tries = attempt.at === "done" ? 0 : attempt.tries
    const until = this.#clock.now() + RETRY_FIRST_MS
    return {
      recipient: address,
      attempt: { at: "waiting", until, tries, lastReply: `the notice was not kept: ${why}` },
    }
  }

  /** Does not give up: what was delivered and is not recorded would be delivered again and again. False if it had to. */
  async #write(id: MessageId, outcomes: readonly Outcome[], signal: AbortSignal): Promise<boolean> {
    for (;;) {
      try {
        await this.#spool.record(id, outcomes)
        return true
      } catch (error) {
        this.#log.error("outcome-not-recorded", { message: id, why: String(error) })
        if (signal.aborted) return false
        await this.#pause(signal)
      }
    }
  }

  #pause(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        forget()
        signal.removeEventListener("abort", end)
        resolve()
      }
      const forget = this.#clock.after(RECORD_AGAIN_MS, end)
      signal.addEventListener("abort", end)
    })
  }

  #logAnswer({ id, friend }: KeptMessage, { address }: KeptRecipient, answer: Answer): void {
    this.#answered?.(friend, answer)
    const fields = {
      message: id,
      friend,
      recipient: address,
      host: answer.from?.host,
      tls: answer.from?.tls,
      proof: answer.from?.proof,
    }
    if (answer.kind === "accepted") this.#log.info("mail-delivered", fields)
    else this.#log.warn(`mail-${answer.kind}`, { ...fields, code: answer.code, why: answer.detail })
  }
}
