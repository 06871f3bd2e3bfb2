/** Counts what came of mail, for metrics: by friend and fault, nobody's addresses, nothing that a stranger can make up. */
import type { Answer } from "../smtp/delivery/answer.ts"

export type MailAccount = {
  readonly labels: {
    readonly friend: string
    readonly outcome: "delivered" | "refused" | "later"
    readonly reason: string
  }
  recipients: number
}

export class MailAccounts {
  readonly #accounts = new Map<string, MailAccount>()

  add(friend: string, answer: Answer): void {
    const accepted = answer.kind === "accepted"
    const labels = {
      friend,
      outcome: accepted ? "delivered" : answer.kind,
      reason: accepted ? "" : answer.code,
    } as const
    const key = Object.values(labels).join(" ")
    const account = this.#accounts.get(key) ?? { labels, recipients: 0 }
    account.recipients += 1
    this.#accounts.set(key, account)
  }

  all(): readonly Readonly<MailAccount>[] {
    return [...this.#accounts.values()]
  }
}
