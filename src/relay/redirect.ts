/** Where waiting mail may be sent instead: to an address that the same friend's own routes take, and nowhere else. */
import { fault, type Fault } from "../faults/faults.ts"
import type { Hostname } from "../names/hostname.ts"
import { isHeldToTls, type FriendName, type Route } from "../route/route.ts"
import { needsUtf8, readMailbox } from "../smtp/intake/mailbox.ts"
import { admitRecipient, type Known } from "../smtp/intake/recipients.ts"
import type { KeptMessage } from "../store/spool.ts"

export type Redirects = {
  readonly mailRoute: (friend: FriendName, domain: Hostname) => Route | undefined
  readonly listIn: Known["listIn"]
}

/** The address as it is sent on, or why the message may not go there. */
export function redirectTo(message: KeptMessage, to: string, { mailRoute, listIn }: Redirects): string | Fault {
  const mailbox = readMailbox(to)
  if (mailbox.kind !== "value") return no(`${JSON.stringify(to)} is not an address`)
  const routeFor = (domain: Hostname): Route | undefined => mailRoute(message.friend, domain)
  const admitted = admitRecipient(mailbox.value, { routeFor, listIn })
  if (admitted.kind === "refused") return no(`${to} is no address of ${message.friend} (${admitted.why.code})`)
  if (message.requireTls && !isHeldToTls(admitted.route)) return no(`${message.id} demands checked TLS (REQUIRETLS)`)
  if (!message.smtputf8 && needsUtf8(admitted.address)) return no(`${message.id} was handed in without SMTPUTF8`)
  return admitted.address
}

function no(detail: string): Fault {
  return fault("REDIRECT_REFUSED", detail)
}
