/**
 * The XCLIENT command (Postfix XCLIENT_README) for mail that was kept: who handed it to the relay, so that the next hop's
 * own filter judges the sender and not us. Pure.
 */
import type { Hostname } from "../../names/hostname.ts"
import { isIpv6 } from "../../names/ip-address.ts"
import type { Client } from "../../store/spool.ts"
import { encodeXtext } from "./xtext.ts"

/** Who handed a message in, and the name behind the address. */
export type Visitor = { readonly client: Client; readonly name: VisitorName }

/** Looked up both ways. `none`: there is none that leads back. `unknown`: it could not be looked up just now. */
export type VisitorName =
  { readonly kind: "name"; readonly name: string } | { readonly kind: "none" } | { readonly kind: "unknown" }

/** RFC 5321 §4.5.3.1.4, without CR LF. */
const COMMAND_CHARS_MAX = 510

/**
 * The command with those facts that the server asks for; `undefined` if it does not ask for the address. What is left out
 * keeps the value of the connection, so everything that would be about the relay is said to be unavailable.
 */
export function xclientCommand(asked: readonly string[], { client, name }: Visitor): string | undefined {
  const attributes = asked.map((attribute) => attribute.toUpperCase())
  if (!attributes.includes("ADDR")) return undefined
  const known = [
    ["NAME", nameText(name)],
    ["ADDR", isIpv6(client.address) ? `IPV6:${client.address}` : client.address],
    ["PORT", UNAVAILABLE],
    ["PROTO", "ESMTP"],
    ["LOGIN", UNAVAILABLE],
    ["HELO", encodeXtext(client.helo)],
  ] as const
  const words = known.filter(([attribute]) => attributes.includes(attribute)).map(([key, value]) => `${key}=${value}`)
  const command = `XCLIENT ${words.join(" ")}`
  // HELO is last, and all that can be long.
  return command.length <= COMMAND_CHARS_MAX ? command : `XCLIENT ${words.slice(0, -1).join(" ")}`
}

/** Equal for visitors between whom the next hop cannot tell. */
export function visitorKey({ client, name }: Visitor): string {
  return `${client.address} ${nameText(name)} ${client.helo}`
}

/** For the EHLO behind XCLIENT, which goes before its attribute; our own name where the visitor's cannot be said. */
export function heloOf({ client: { helo } }: Visitor, ownName: Hostname): string {
  return /^[\x21-\x7e]{1,255}$/.test(helo) ? helo : ownName
}

const UNAVAILABLE = "[UNAVAILABLE]"

function nameText(name: VisitorName): string {
  if (name.kind === "name") return encodeXtext(name.name)
  return name.kind === "none" ? UNAVAILABLE : "[TEMPUNAVAIL]"
}
