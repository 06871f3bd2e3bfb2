/**
 * A connection that a friend's server has opened itself and turned round (ATRN, RFC 2645): while it lasts, what it takes
 * goes over it, oldest first, and nothing is dialled for that.
 */
import type { Hostname } from "../../names/hostname.ts"
import type { FriendName } from "../../route/route.ts"
import type { Destination, Job } from "./destination.ts"
import type { Session } from "./session.ts"
import { domainOf } from "./target.ts"

export type Loan = {
  readonly friend: FriendName
  /** Of these domains alone; empty: of all. */
  readonly domains: readonly Hostname[]
  readonly session: Session
}

/** Ours: how long a turned connection waits for more; what was kept before is read in less. */
export const LOAN_LINGER_MS = 2_000

/** A loan and what is in line for it. */
export type Lent = Loan & { readonly line: Destination }

export function takes({ friend, domains }: Loan, { message, recipients }: Job): boolean {
  // RFC 8689 §4.2.1: who logged in has shown a secret and no certificate.
  if (message.friend !== friend || message.requireTls) return false
  const isAsked = (address: string): boolean => domains.some((domain) => domain === domainOf(address))
  return domains.length === 0 || recipients.every(({ address }) => isAsked(address))
}
