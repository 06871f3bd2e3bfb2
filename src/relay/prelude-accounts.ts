/**
 * Counts the senders that come to a shared port before TLS, so that a friend can see how much of his mail needs
 * `otherwise`. By listener and friend; never by a name that a stranger made up.
 */
import type { FriendName, ListenerName, Unnamed } from "../route/route.ts"

/** `named`: its TLS named a friend's host. `not-heard`: it left, or was turned away, before it said whom it meant. */
export type SenderKind = Unnamed | "named" | "not-heard"

export type PreludeOutcome = "carried" | "peer" | "refused" | "left"

export type PreludeAccount = {
  /** `friend`: empty where the sender named none. */
  readonly labels: Readonly<Record<"listener" | "friend", string>> & {
    readonly sender: SenderKind
    readonly outcome: PreludeOutcome
  }
  connections: number
}

export type UnnamedMail = {
  readonly labels: Readonly<Record<"listener" | "friend", string>> & { readonly sender: Unnamed }
  mails: number
}

export type SenderCounts = {
  readonly connections: readonly Readonly<PreludeAccount>[]
  readonly mails: readonly Readonly<UnnamedMail>[]
}

export class PreludeAccounts {
  readonly #connections = new Map<string, PreludeAccount>()
  readonly #mails = new Map<string, UnnamedMail>()

  /** A connection of which it is known what became of it. */
  count(listener: ListenerName, friend: string | undefined, sender: SenderKind, outcome: PreludeOutcome): void {
    const labels = { listener, friend: friend ?? "", sender, outcome }
    const key = Object.values(labels).join(" ")
    const account = this.#connections.get(key) ?? { labels, connections: 0 }
    account.connections += 1
    this.#connections.set(key, account)
  }

  /** A mail for a friend that ended at the relay because its sender could not be carried. */
  took(listener: ListenerName, friend: string, sender: Unnamed): void {
    const labels = { listener, friend, sender }
    const key = Object.values(labels).join(" ")
    const account = this.#mails.get(key) ?? { labels, mails: 0 }
    account.mails += 1
    this.#mails.set(key, account)
  }

  all(): SenderCounts {
    return { connections: [...this.#connections.values()], mails: [...this.#mails.values()] }
  }

  /** What one friend may see: whoever named him, or wrote to him. Who named nobody and was sent away is nobody's. */
  of(friend: FriendName): SenderCounts {
    const isHis = ({ labels }: Pick<UnnamedMail, "labels"> | Pick<PreludeAccount, "labels">) => labels.friend === friend
    const { connections, mails } = this.all()
    return { connections: connections.filter(isHis), mails: mails.filter(isHis) }
  }
}
