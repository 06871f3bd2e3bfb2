/** Who may be written to: deny by default, and what is allowed is decided on the parsed address and the friend's own list. */
import { fault, type Fault } from "../../faults/faults.ts"
import type { Recipients, Route } from "../../route/route.ts"
import type { Hostname } from "../../names/hostname.ts"
import type { HashedRecipients } from "../../route/hashed-recipients.ts"
import type { Mailbox } from "./mailbox.ts"

export type Admitted =
  | { readonly kind: "admitted"; readonly route: Route; readonly address: string; readonly always: boolean }
  | { readonly kind: "refused"; readonly why: Fault }

/** RFC 5321 §4.5.1 and RFC 2142 §2: whoever has a problem with a domain must be able to tell it. */
const ALWAYS: ReadonlySet<string> = new Set(["postmaster", "abuse"])
/** What older mail systems take as "and send it on from there" (Postfix: allow_untrusted_routing). */
const SECOND_HOP = /[%!@]/

/** `routeFor` finds the route of a domain, `listIn` the hashed list in a file. */
export type Known = {
  readonly routeFor: (domain: Hostname) => Route | undefined
  readonly listIn: (file: string) => HashedRecipients | undefined
}

/** Whether this relay takes mail for the address, and for whom. Where the friend's server has the last word, it is asked later. */
export function admitRecipient(recipient: Mailbox | "postmaster", { routeFor, listIn }: Known): Admitted {
  if (recipient === "postmaster") return no("POSTMASTER_OF_WHOM", "")
  const route = recipient.domain && routeFor(recipient.domain)
  const recipients = route && recipientsOf(route)
  if (!route || !recipients)
    return no(route?.carry.mode === "dedicated" ? "UNNAMED_SENDER" : "NOT_OURS", recipient.text)
  const { localPart, text } = recipient
  const admitted = { kind: "admitted", route, address: text, always: ALWAYS.has(localPart.toLowerCase()) } as const
  const name = localPart.toLowerCase()
  const list = recipients.kind === "hashed" ? listIn(recipients.file) : undefined
  const isListed = (one: string): boolean =>
    recipients.kind === "listed" ? recipients.localParts.has(one) : list?.has(`${one}@${recipient.domain}`) === true
  if (admitted.always || isListed(name)) return admitted
  if (SECOND_HOP.test(localPart)) return no("ROUTED_ADDRESS", text)
  if (recipients.kind === "hashed" && !list) return no("RECIPIENTS_UNREADABLE", text)
  const anybody = recipients.kind === "any" || recipients.kind === "asked"
  return anybody || isListed(withoutSubAddress(name)) ? admitted : no("NO_SUCH_RECIPIENT", text)
}

/** Routes that the relay carries as a mail server; of a dedicated one, what could not be carried end to end. */
function recipientsOf({ carry }: Route): Recipients | undefined {
  if (carry.mode === "dedicated") return carry.otherwise === "peer" ? { kind: "any" } : undefined
  return carry.as === "mail" ? carry.recipients : undefined
}

/** RFC 5233 §1: what follows the `+` is the owner's own business. */
function withoutSubAddress(name: string): string {
  return name.replace(/(?<=.)\+.*$/su, "")
}

function no(
  code:
    | "RECIPIENTS_UNREADABLE"
    | "POSTMASTER_OF_WHOM"
    | "NOT_OURS"
    | "UNNAMED_SENDER"
    | "ROUTED_ADDRESS"
    | "NO_SUCH_RECIPIENT",
  address: string,
): Admitted {
  return { kind: "refused", why: fault(code, JSON.stringify(address)) }
}
