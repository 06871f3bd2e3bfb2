/** Counts what came of mail, for metrics: by friend and fault, nobody's addresses, nothing that a stranger can make up. */
import type { Answer } from "../smtp/delivery/answer.ts"
import type { Proof } from "../smtp/trust/demand.ts"

export type MailAccount = {
  readonly labels: {
    readonly friend: string
    readonly outcome: "delivered" | "refused" | "later"
    readonly reason: string
  }
  recipients: number
}

/** Over what delivered mail went: proved by what, `anybody` for TLS without proof, `none` for plain text. */
export type TlsAccount = {
  readonly labels: { readonly friend: string; readonly tls: Exclude<Proof, undefined> | "anybody" | "none" }
  recipients: number
}

export class MailAccounts {
  readonly #accounts = new Map<string, MailAccount>()
  readonly #tls = new Map<string, TlsAccount>()

  add(friend: string, answer: Answer): void {
    const accepted = answer.kind === "accepted"
    const outcome = accepted ? "delivered" : answer.kind
    count(this.#accounts, { friend, outcome, reason: accepted ? "" : answer.code })
    if (!accepted) return
    const { tls, proof } = answer.from
    count(this.#tls, { friend, tls: tls === undefined ? "none" : (proof ?? "anybody") })
  }

  all(): readonly Readonly<MailAccount>[] {
    return [...this.#accounts.values()]
  }

  allTls(): readonly Readonly<TlsAccount>[] {
    return [...this.#tls.values()]
  }
}

type Counted = { readonly labels: Readonly<Record<string, string>>; recipients: number }

function count<Account extends Counted>(accounts: Map<string, Account>, labels: Account["labels"]): void {
  const key = Object.values(labels).join(" ")
  const account = accounts.get(key) ?? ({ labels, recipients: 0 } as Account)
  account.recipients += 1
  accounts.set(key, account)
}
