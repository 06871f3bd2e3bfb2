/** Counts what was carried, for metrics and for whoever asks how a relay is doing. Totals only; nobody's addresses. */
import type { Ended, EndedHow } from "../net/engine.ts"

export type Account = {
  readonly listener: string
  readonly how: EndedHow
  connections: number
  bytesToBackend: number
  bytesToVisitor: number
  durationMs: number
}

export class Accounts {
  readonly #accounts = new Map<string, Map<EndedHow, Account>>()

  add({ listener, how, bytesToBackend, bytesToVisitor, durationMs }: Ended): void {
    const account = this.#accountOf(listener, how)
    account.connections += 1
    account.bytesToBackend += bytesToBackend
    account.bytesToVisitor += bytesToVisitor
    account.durationMs += durationMs
  }

  all(): readonly Readonly<Account>[] {
    return [...this.#accounts.values()].flatMap((ofListener) => [...ofListener.values()])
  }

  #accountOf(listener: string, how: EndedHow): Account {
    let ofListener = this.#accounts.get(listener)
    if (!ofListener) this.#accounts.set(listener, (ofListener = new Map()))
    let account = ofListener.get(how)
    if (!account) ofListener.set(how, (account = newAccount(listener, how)))
    return account
  }
}

function newAccount(listener: string, how: EndedHow): Account {
  return { listener, how, connections: 0, bytesToBackend: 0, bytesToVisitor: 0, durationMs: 0 }
}
