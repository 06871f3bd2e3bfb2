/** Counts what came of mail, for metrics: by friend and fault, nobody's addresses, nothing that a stranger can make up. */
import type { FaultCode } from "../faults/faults.ts"
import type { Answer } from "../smtp/delivery/answer.ts"
import type { Taking } from "../smtp/intake/intake.ts"
import type { Proof } from "../smtp/trust/demand.ts"

export type MailAccount = {
  readonly labels: {
    readonly friend: string
    readonly outcome: "delivered" | "refused" | "later"
    readonly reason: string
  }
  count: number
}

/** Over what delivered mail went: proved by what, `anybody` for TLS without proof, `none` for plain text. */
export type TlsAccount = {
  readonly labels: { readonly friend: string; readonly tls: Exclude<Proof, undefined> | "anybody" | "none" }
  count: number
}

/** Mails answered with 250: `passed` on while their sender waited, or `kept`. */
export type TakenAccount = {
  readonly labels: { readonly friend: string; readonly how: Taking }
  count: number
}

/** What senders were refused, by fault. */
export type RefusedAccount = { readonly labels: { readonly reason: FaultCode }; count: number }

export class MailAccounts {
  readonly #accounts = new Map<string, MailAccount>()
  readonly #tls = new Map<string, TlsAccount>()
  readonly #taken = new Map<string, TakenAccount>()
  readonly #refused = new Map<string, RefusedAccount>()

  add(friend: string, answer: Answer): void {
    const accepted = answer.kind === "accepted"
    const outcome = accepted ? "delivered" : answer.kind
    count(this.#accounts, { friend, outcome, reason: accepted ? "" : answer.code })
    if (!accepted) return
    const { tls, proof } = answer.from
    count(this.#tls, { friend, tls: tls === undefined ? "none" : (proof ?? "anybody") })
  }

  taken(friend: string, how: Taking): void {
    count(this.#taken, { friend, how })
  }

  refused(reason: FaultCode): void {
    count(this.#refused, { reason })
  }

  allTaken(): readonly Readonly<TakenAccount>[] {
    return [...this.#taken.values()]
  }

  allRefused(): readonly Readonly<RefusedAccount>[] {
    return [...this.#refused.values()]
  }

  all(): readonly Readonly<MailAccount>[] {
    return [...this.#accounts.values()]
  }

  allTls(): readonly Readonly<TlsAccount>[] {
    return [...this.#tls.values()]
  }
}

type Counted = { readonly labels: Readonly<Record<string, string>>; count: number }

function count<Account extends Counted>(accounts: Map<string, Account>, labels: Account["labels"]): void {
  const key = Object.values(labels).join(" ")
  const account = accounts.get(key) ?? ({ labels, count: 0 } as Account)
  account.count += 1
  accounts.set(key, account)
}
