/** One mail transaction (RFC 5321 §3.3): a sender, recipients who all belong to one friend, and the message for them. */
import { fault, type Fault } from "../../faults/faults.ts"
import type { FriendName, Route } from "../../route/route.ts"
import type { Client, Envelope, MessageId, NewRecipient } from "../../store/spool.ts"
import type { IncomingMessage } from "./incoming-message.ts"
import type { MailCommand } from "./path-command.ts"

export type Incoming = { readonly id: MessageId; readonly message: IncomingMessage }

export class Transaction {
  readonly mail: MailCommand
  #route: Route | undefined
  readonly #recipients = new Map<string, NewRecipient>()
  /** Once content has begun, nothing else of the transaction can change. */
  incoming: Incoming | undefined

  constructor(mail: MailCommand) {
    this.mail = mail
  }

  /** Whom the message is for and how it is carried, as soon as there is a recipient. */
  get route(): Route | undefined {
    return this.#route
  }

  get recipients(): readonly NewRecipient[] {
    return [...this.#recipients.values()]
  }

  /**
   * A message is kept once, for one friend: if it were kept for several, and one of them had no room, no single reply
   * would be true. RFC 5321 §4.5.3.1.10: after 452 the client sends to the others in a transaction of its own.
   */
  refuses(friend: FriendName, address: string, recipientsMax: number): Fault | undefined {
    if (this.#route && this.#route.friend !== friend) return fault("ANOTHER_FRIENDS", address)
    const full = !this.#recipients.has(address.toLowerCase()) && this.#recipients.size >= recipientsMax
    return full ? fault("TOO_MANY_RECIPIENTS", `more than ${recipientsMax}`) : undefined
  }

  /** A friend has one route on the listener where the message comes in. */
  add(route: Route, recipient: NewRecipient): void {
    this.#route = route
    this.#recipients.set(recipient.address.toLowerCase(), recipient)
  }

  /** `undefined` while there is no recipient. */
  envelope(client: Client, receivedAt: number): Envelope | undefined {
    if (!this.#route) return undefined
    const { sender, body, smtputf8, requireTls, ret, envid } = this.mail
    const about = {
      friend: this.#route.friend,
      from: sender?.text ?? "",
      recipients: this.recipients,
      receivedAt,
      client,
    }
    return { ...about, body, smtputf8, requireTls, ret, envid, sealed: false }
  }
}
