/** Host names as they are compared everywhere: lower case, no trailing dot, A-labels only. */

/** RFC 1035 §2.3.4: 255 octets on the wire, which leaves 253 characters. */
export const HOSTNAME_CHARS_MAX = 253
/** RFC 1035 §2.3.1 letters, digits and hyphens, at most 63; the underscore is in use for service names (RFC 8552). */
const LABEL = /^(?!-)[a-zA-Z0-9_-]{1,63}(?<!-)$/
/** A last label of this form makes an IPv4 literal to resolvers and browsers (WHATWG URL "ends in a number"). */
const NUMBER = /^([0-9]+|0[xX][0-9a-fA-F]*)$/

/** A checked host name: lower case, without a trailing dot, never an address literal. */
export type Hostname = string & { readonly __brand: "Hostname" }

/** Normalises and checks a host name from outside; `undefined` if it is none. */
export function hostname(text: string): Hostname | undefined {
  const known = recent.get(text)
  if (known !== undefined) return known
  const name = checked(text)
  if (name === undefined) return undefined
  if (recent.size >= RECENT_MAX) recent.clear()
  recent.set(text, name)
  return name
}

/** Ours: remembered names. Every connection asks for one, mostly the same few; taking them apart costs more than knowing them. */
const RECENT_MAX = 4096
const recent = new Map<string, Hostname>()

function checked(text: string): Hostname | undefined {
  const name = text.endsWith(".") ? text.slice(0, -1) : text
  const labels = name.length <= HOSTNAME_CHARS_MAX ? name.split(".") : []
  const last = labels.at(-1)
  const fits = last !== undefined && labels.every((label) => LABEL.test(label)) && !NUMBER.test(last)
  // Lower case comes last: Unicode would make ASCII letters of others (U+212A, the Kelvin sign, becomes k).
  return fits ? (name.toLowerCase() as Hostname) : undefined // the only cast to Hostname in the program
}

/** What a friend may list under `domains`: one name, or every name exactly one label below it (RFC 6125 §6.4.3). */
export type HostPattern = { readonly name: Hostname; readonly wildcard: boolean }

/** Reads `alice.example` or `*.alice.example`; `undefined` if it is neither. */
export function hostPattern(text: string): HostPattern | undefined {
  const wildcard = text.startsWith("*.")
  const name = hostname(wildcard ? text.slice(2) : text)
  return name && { name, wildcard }
}

/** The name one label up, which is what a one-label wildcard is looked up by. */
export function parentOf(name: Hostname): Hostname | undefined {
  const dot = name.indexOf(".")
  return dot < 0 ? undefined : hostname(name.slice(dot + 1))
}

export function patternText(pattern: HostPattern): string {
  return pattern.wildcard ? `*.${pattern.name}` : pattern.name
}
