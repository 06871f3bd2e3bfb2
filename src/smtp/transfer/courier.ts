/**
 * The way of kept mail to a box that takes it as a whole: once, because the box remembers what it has passed on, and a relay
 * that was killed before it heard so hears it at the next try. A box that does not know this, and every other server, is
 * spoken to in SMTP.
 */
import type { Hostname } from "../../names/hostname.ts"
import type { PinnedKeys } from "../../route/route.ts"
import { failed, type Answer } from "../delivery/answer.ts"
import type { HandMail } from "../delivery/dial.ts"
import { openTo, within, type Way } from "../delivery/open.ts"
import { printable } from "../delivery/reply.ts"
import {
  CONTENT_BYTES_PER_SECOND_MIN,
  SETUP_MS,
  TRANSACTION_MS,
  type Letter,
  type Session,
  type Transaction,
} from "../delivery/session.ts"
import { hopText, type Target } from "../delivery/target.ts"
import { letterText } from "./letter.ts"
import { readOutcome, type Outcome } from "./outcome.ts"

/** Takes one message after another to a next hop, and says what became of each. */
export type Courier = Pick<Session, "usable" | "messages" | "isFor" | "deliver" | "quit" | "close">

/** Whatever takes mail there, or what to say of every recipient. */
export async function openCourier(target: Target, way: Way, signal: AbortSignal): Promise<Courier | Answer> {
  const [hop] = target.by === "route" ? target.hops : []
  if (target.by !== "route" || hop?.kind !== "box" || !way.reachBox) return openTo(target, way, signal)
  const late = new Error("no answer in time")
  try {
    const hand = await within<HandMail | undefined | Error>(way.clock, way.connectDeadlineMs, way.reachBox(hop), late)
    if (hand === late) throw late
    if (typeof hand !== "function") return await openTo(target, way, signal)
    return new BoxCourier(hand, way, {
      host: hopText(hop),
      pinned: typeof target.tls === "string" ? undefined : target.tls,
    })
  } catch (error) {
    return failed("later", "HOME_AWAY", `${hopText(hop)}: ${printable(String(error))}`)
  }
}

type Place = { readonly host: string; readonly pinned: PinnedKeys | undefined }

class BoxCourier implements Courier {
  readonly #hand: HandMail
  readonly #name: Hostname
  readonly #clock: Way["clock"]
  readonly #place: Place
  readonly #closing = new AbortController()
  #messages = 0

  constructor(hand: HandMail, { name, clock }: Way, place: Place) {
    this.#hand = hand
    this.#name = name
    this.#clock = clock
    this.#place = place
  }

  get usable(): boolean {
    return !this.#closing.signal.aborted
  }

  get messages(): number {
    return this.#messages
  }

  /** Each message says for itself who handed it in. */
  isFor(): boolean {
    return true
  }

  async deliver({ message, recipients, content, visitor }: Letter): Promise<Transaction> {
    this.#messages += 1
    const addresses = recipients.map(({ address }) => address)
    const { host, pinned } = this.#place
    const letter = { by: this.#name, message: { ...message, recipients }, visitorName: visitor?.name, pinned }
    const worthMs = (message.sizeBytes / CONTENT_BYTES_PER_SECOND_MIN) * 1000
    const forget = this.#clock.after(SETUP_MS + TRANSACTION_MS + worthMs, () => this.close())
    try {
      const { signal } = this.#closing
      const handed = { about: letterText(letter), contentBytes: message.sizeBytes, content, signal }
      const said = await this.#hand(handed)
      const answers = readOutcome(said, addresses, host)
      if (isUnreached(answers)) this.close() // so that the next one asks first whether it answers
      return { answers, spoke: true }
    } catch (error) {
      this.close()
      const answer = failed("later", "HOME_AWAY", printable(`${host}: ${String(error)}`))
      return { answers: new Map(addresses.map((address) => [address, answer])), spoke: false }
    } finally {
      forget()
    }
  }

  quit(): Promise<void> {
    this.close()
    return Promise.resolve()
  }

  close(): void {
    this.#closing.abort()
  }
}

/** The server behind the box did not say a word. */
function isUnreached(outcome: Outcome): boolean {
  return [...outcome.values()].every(({ kind, reply }) => kind === "later" && reply === undefined)
}
